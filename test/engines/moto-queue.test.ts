import { SQSClient } from '@aws-sdk/client-sqs'
import { afterAll } from 'vitest'
import { openSqsQueue } from '../cloud/sqs-kit.ts'
import { describeQueue } from '../conformance/queue.ts'
import { differencesOf } from './differences.ts'
import { CREDENTIALS, describeOn, REGION } from './on-engine.ts'

describeOn('moto', (endpoint) => {
  const config = { endpoint, region: REGION, credentials: CREDENTIALS }
  const consumer = new SQSClient(config)
  afterAll(() => {
    consumer.destroy()
  })
  const known = differencesOf({ engine: 'moto', suite: 'queue' })
  describeQueue('SQS', () => openSqsQueue(config, consumer), known)
})
