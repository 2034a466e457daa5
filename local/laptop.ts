/**
 * What the laptop pretends to be: an account, a region, credentials nobody looks at, and the names
 * of its tables and queues.
 *
 * The adapters are those that run on AWS; all that is local about them is where these values point.
 */
import { REGION } from '#shared/catalog/zones.ts'

export const ACCOUNT = '000000000000'
export { REGION }
export const CREDENTIALS = { accessKeyId: 'drover', secretAccessKey: 'local' } as const
export const TABLES = { main: 'drover', history: 'drover-history' } as const
export const QUEUES = {
  wakes: 'drover-wakes.fifo',
  wakesDead: 'drover-wakes-dead.fifo',
  delayed: 'drover-delayed',
  delayedDead: 'drover-delayed-dead',
} as const

/** A client of an emulated service. */
export function clientOf(endpoint: string): {
  endpoint: string
  region: string
  credentials: { accessKeyId: string; secretAccessKey: string }
} {
  return { endpoint, region: REGION, credentials: { ...CREDENTIALS } }
}
