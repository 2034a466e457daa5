/**
 * Turns what EC2 says of an instance into its signal, and wakes reconcile if the instance is ours.
 *
 * EC2's events cannot be filtered by tag, so every instance of the account is heard of. An unknown
 * one may still be ours, launched a moment ago and not yet recorded: its signal is stored for an
 * hour, for the pass that records it to find, but wakes nobody. Each fact is a field of its own
 * that an older event never overwrites; the same event twice writes the same again.
 */
import { describeError, DroverError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Clock } from '../cloud/clock.ts'
import type { Queue } from '../cloud/queue.ts'
import type { Signal } from '../model/facts.ts'
import { LIMITS } from '../model/limits.ts'
import { parseEc2Event, type InstanceNotice } from '../protocol/ec2-events.ts'
import { keys } from '../store/keys.ts'
import { below, type Fields, type Store } from '../store/store.ts'

export type InterruptionPorts = {
  store: Pick<Store, 'get' | 'update'>
  queue: Pick<Queue, 'wake'>
  clock: Pick<Clock, 'now'>
  log: Logger
}

export class InterruptionError extends DroverError {
  constructor(failures: readonly { instanceId: string; text: string }[]) {
    super({
      code: 'SignalsNotStored',
      text: `${String(failures.length)} signals were not stored`,
      seen: failures.slice(0, 5),
      next: 'the event is sent again; nothing needs doing unless it reaches the dead-letter queue',
    })
  }
}

/** Takes in one EventBridge event; throws what should send it again or to the dead-letter queue. */
export async function takeInEc2Event(ports: InterruptionPorts, raw: unknown): Promise<void> {
  const event = parseEc2Event(raw)
  if (event.kind === 'ignored') ports.log.debug('event ignored', { seen: event.text })
  else if (event.kind === 'unaddressed')
    ports.log.warn('event names no instance', { seen: event.text })
  else await takeInNotices(ports, event.notices)
}

async function takeInNotices(
  ports: InterruptionPorts,
  notices: readonly InstanceNotice[],
): Promise<void> {
  const ours: string[] = []
  const failures: { instanceId: string; text: string }[] = []
  for (const notice of notices) {
    // One instance's trouble must not keep the others' signals from being stored.
    try {
      if (await takeInNotice(ports, notice)) ours.push(notice.instanceId)
    } catch (error) {
      failures.push({ instanceId: notice.instanceId, text: describeError(error) })
    }
  }
  const sort = notices[0]?.fact.sort ?? 'signal'
  if (ours.length > 0) await ports.queue.wake(`${sort} of ${ours[0] ?? ''}`)
  if (failures.length > 0) throw new InterruptionError(failures)
}

/** Stores the signal; true when the instance is one of ours. */
async function takeInNotice(
  { store, clock, log }: InterruptionPorts,
  notice: InstanceNotice,
): Promise<boolean> {
  const { instanceId, atMs } = notice
  const ttl = Math.floor(clock.now() / 1000) + LIMITS.signalHours * 3600
  const orderField = `${notice.fact.sort}AtMs`
  const written = await store.update(
    keys.signal(instanceId),
    { kind: 'signal', instanceId, ...signalField(notice), [orderField]: atMs, ttl },
    [below(orderField, atMs + 1)],
  )
  const known = (await store.get(keys.assignmentHead(notice.arn))) !== undefined
  const facts = { instanceId, sort: notice.fact.sort, known, newer: written.applied }
  if (known) log.info('signal of a node', facts)
  else log.debug('signal of an unknown instance', facts)
  return known
}

function signalField({ fact, atMs }: InstanceNotice): Fields & Partial<Signal> {
  switch (fact.sort) {
    case 'interruption':
      return {
        interruption: {
          action: fact.action,
          atMs,
          ...(fact.deadlineMs === undefined ? {} : { deadlineMs: fact.deadlineMs }),
        },
      }
    case 'rebalance':
      return { rebalance: { atMs } }
    case 'state':
      return { state: { value: fact.value, atMs } }
    case 'health':
      return {
        health: {
          code: fact.code,
          atMs,
          ...(fact.startAtMs === undefined ? {} : { startAtMs: fact.startAtMs }),
        },
      }
  }
}
