/**
 * A suite on an engine that was started for all, or skipped with the reason why it was not.
 */
import { describe, inject } from 'vitest'
import type { EngineName } from './differences.ts'

export const REGION = 'us-east-1'
/** Engines ask for some and look at none. */
export const CREDENTIALS = { accessKeyId: 'drover', secretAccessKey: 'local' }

export function describeOn(engine: EngineName, suite: (endpoint: string) => void): void {
  const access = inject('engines')[engine]
  const missing = 'missing' in access
  const title = missing ? `on ${engine} (skipped: ${access.missing})` : `on ${engine}`
  // A skipped suite is told all the same, so that its tests are counted; nothing of it runs.
  describe.skipIf(missing)(title, () => {
    suite(missing ? 'http://127.0.0.1' : access.endpoint)
  })
}
