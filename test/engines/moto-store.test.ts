import { storeConformance } from '../conformance/store.ts'
import { differencesOf } from './differences.ts'
import { openEngineStore } from './engine-store.ts'
import { describeOn } from './on-engine.ts'

describeOn('moto', (endpoint) => {
  const known = differencesOf({ engine: 'moto', suite: 'store' })
  storeConformance('the DynamoDB store', () => openEngineStore(endpoint), known)
})
