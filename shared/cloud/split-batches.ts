/**
 * Calls that name instances, a batch at a time, when one bad id fails the whole batch.
 *
 * A batch that EC2 refuses for an unknown id is halved, and the halves again, until the bad ids
 * stand alone: b bad ids among n cost at most about 2b·log₂n calls, and the good ones always get
 * through. So is one that it refuses for what may be one instance's fault, but only so often in a
 * call (`OF_ONE_MAX`): beyond it, good ones fail with the bad, and are tried again with the next
 * pass. A batch that fails for another reason is not halved, for smaller ones would only throttle
 * sooner.
 */
import type { TerminateOutcome } from './fleet.ts'

export type BatchResult =
  | { result: 'done' }
  /** EC2 does not know one of the ids. */
  | { result: 'bad-id' }
  /** `oneOfThem`: it may be the fault of a single id, and the others may be fine. */
  | { result: 'failed'; text: string; oneOfThem?: boolean }

export type BatchCall = (instanceIds: readonly string[]) => Promise<BatchResult>

/** EC2's codes for an id it does not know, or that is none. */
const UNKNOWN_ID: ReadonlySet<string> = new Set([
  'InvalidInstanceID.NotFound',
  'InvalidInstanceID.Malformed',
])
/**
 * Codes that one instance alone may have brought on all: its protection, its state, or a tag that
 * somebody took off it, by which drover's role may act on it.
 */
const OF_ONE: ReadonlySet<string> = new Set([
  'IncorrectInstanceState',
  'OperationNotPermitted',
  'UnauthorizedOperation',
  'UnsupportedOperation',
])

/** What a refusal with this code means for a batch. */
export function refusalOf(code: string, text: string): BatchResult {
  if (UNKNOWN_ID.has(code)) return { result: 'bad-id' }
  return { result: 'failed', text: `${code}: ${text}`, oneOfThem: OF_ONE.has(code) }
}

/**
 * So many refusals that may be one instance's fault are followed up: enough for two such among a
 * hundred. What comes more often is the fault of all, of a role that may not end anything.
 */
const OF_ONE_MAX = 16

/** Every id is in exactly one of the outcome's lists. */
export async function callInBatches(
  instanceIds: readonly string[],
  batchSize: number,
  call: BatchCall,
): Promise<TerminateOutcome> {
  const terminating: string[] = []
  const notFound: string[] = []
  const failed: { instanceId: string; text: string }[] = []
  const unique = [...new Set(instanceIds)]
  const waiting: (readonly string[])[] = []
  for (let at = 0; at < unique.length; at += batchSize)
    waiting.push(unique.slice(at, at + batchSize))
  let ofOne = 0
  for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
    const answer = await call(batch)
    const mayBeOne = answer.result === 'failed' && answer.oneOfThem === true
    if (mayBeOne) ofOne += 1
    const isHalved = mayBeOne && batch.length > 1 && ofOne <= OF_ONE_MAX
    if (answer.result === 'done') terminating.push(...batch)
    else if (answer.result === 'failed' && !isHalved) {
      failed.push(...batch.map((instanceId) => ({ instanceId, text: answer.text })))
    } else if (batch.length === 1) notFound.push(...batch)
    else {
      const middle = Math.ceil(batch.length / 2)
      waiting.unshift(batch.slice(0, middle), batch.slice(middle))
    }
  }
  return { terminating, notFound, failed }
}
