/**
 * Decides which changes of the table are worth a pass, and sends one wake for a whole batch.
 *
 * Most changes are not: reconcile writes its own items all the time, and agents beat. A wish (spec,
 * order), a proposal or a verdict counts when it says something new; a report counts when it says
 * something new to reconcile, and that is neither its number nor its time, nor the progress of a
 * burn-in, which comes back as a verdict. Signals are left out because `interruption` itself wakes
 * for those that are ours. What time-to-live removes was of no interest any more.
 */
import { sameJson } from '../base/equal.ts'
import type { Logger } from '../base/log.ts'
import type { Queue } from '../cloud/queue.ts'
import { parseWakeMessage } from '../protocol/wake-message.ts'
import type { Change, Item } from '../store/store.ts'

/** Of a target, all that reconcile does not act on. */
const TOLD = [
  ...['atMs', 'name', 'recommendations', 'events', 'idleSinceMs'],
  ...['readings', 'held', 'limited', 'lastScaled'],
]

/** Kinds that may wake, each with the fields whose change alone means nothing. */
const WAKING: ReadonlyMap<string, readonly string[]> = new Map([
  ['spec', ['updatedAtMs']],
  ['order', []],
  ['report', ['sequence', 'atMs', 'burnIn']],
  ['verdict', ['atMs']],
  ['target', TOLD],
  ['proposal', ['atMs', 'cost', 'refused']],
])

/** For the stream's filters: nothing else is ever worth an invocation of `wake`. */
export const WAKING_KINDS: readonly string[] = [...WAKING.keys()]

export type WakePorts = { queue: Pick<Queue, 'wake'>; log: Logger }

/** Sends one wake if any of the changes matters; answers whether it did. */
export async function wakeForChanges(
  { queue, log }: WakePorts,
  changes: readonly Change[],
): Promise<boolean> {
  const kinds = new Set(changes.filter(matters).map(kindOf))
  if (kinds.size === 0) return false
  const reason = `changed: ${[...kinds].sort().join(', ')}`
  await queue.wake(reason)
  log.debug('woke reconcile', { reason, changes: changes.length })
  return true
}

/**
 * Passes on what the delay queue held back: one wake, in the name of the first. A body that cannot
 * be read wakes as well, for looking again is all it could have asked for.
 */
export async function wakeForMessages(
  { queue, log }: WakePorts,
  bodies: readonly string[],
): Promise<boolean> {
  const [first] = bodies
  if (first === undefined) return false
  const { reason } = parseWakeMessage(first)
  await queue.wake(reason)
  log.debug('passed on a delayed wake', { reason, messages: bodies.length })
  return true
}

/** True when reconcile would want to see this change now. */
export function matters(change: Change): boolean {
  const ignored = WAKING.get(kindOf(change))
  if (ignored === undefined || change.expired) return false
  return !sameJson(content(change.before, ignored), content(change.after, ignored))
}

function kindOf(change: Change): string {
  const kind = (change.after ?? change.before)?.['kind']
  return typeof kind === 'string' ? kind : ''
}

function content(item: Item | undefined, ignored: readonly string[]): unknown {
  if (item === undefined) return null
  return Object.fromEntries(
    Object.entries(item).filter(([field]) => field !== 'ttl' && !ignored.includes(field)),
  )
}
