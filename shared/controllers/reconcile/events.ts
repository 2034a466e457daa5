/**
 * A plan as events: what people read in `drover events`, and what their automation listens to.
 *
 * Stamps and bookkeeping are left out; every act that someone may ask about is in.
 */
import { eventId, type DroverEvent } from '../../model/event.ts'
import { isProblem, responseTo } from '../../model/health.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Action, ActionKind, Plan } from '../../planner/actions.ts'

export type EventDraft = Pick<DroverEvent, 'object' | 'type' | 'reason' | 'text'>
type Tell<K extends ActionKind> = (action: Extract<Action, { kind: K }>) => EventDraft[]

const BAD: ReadonlySet<string> = new Set([
  'Interrupted',
  'Lost',
  'BootDeadline',
  'BurnInGaveUp',
  'BrakeTripped',
  'Quarantined',
  'DrainOverdue',
  'RolloutFailed',
  'Orphaned',
  'Impaired',
  'Silent',
  'Failed',
  'Unhealthy',
])

/** The events of a plan, numbered under the pass's epoch. */
export function eventsOf(plan: Plan): readonly DroverEvent[] {
  const told = plan.notices.map(({ object, reason }) => about(object, reason))
  return number([...plan.actions.flatMap(tell), ...told], {
    atMs: plan.nowMs,
    writer: `r${String(plan.epoch)}`,
  })
}

/** Gives drafts their ids: `writer` and the place in the list make them unique. */
export function number(
  drafts: readonly EventDraft[],
  { atMs, writer, from = 0 }: { atMs: number; writer: string; from?: number },
): readonly DroverEvent[] {
  return drafts.map((own, i) => ({
    ...own,
    text: own.text.slice(0, LIMITS.eventTextMaxChars),
    id: eventId({ atMs, writer, n: from + i }),
    atMs,
  }))
}

function tell<K extends ActionKind>(action: Extract<Action, { kind: K }>): EventDraft[] {
  return (told[action.kind as K] as unknown as Tell<K>)(action)
}

function about(object: string, reason: { code: string; text: string }, text?: string): EventDraft {
  return {
    object,
    type: isBad(reason.code) ? 'Warning' : 'Normal',
    reason: reason.code,
    text: text ?? reason.text,
  }
}

function isBad(code: string): boolean {
  return BAD.has(code) || (isProblem(code) && responseTo(code) !== 'observe')
}

/** Whose replica it is, as events name it. */
export function workloadOf(replica: string): string {
  return `workload/${replica.split('/')[0] ?? replica}`
}

const told = {
  launch: ({ launch, reason }) => [
    about(
      `pool/${launch.pool}`,
      { code: 'Launching', text: '' },
      `${String(launch.claims.length)} ${launch.capacityType} machines, ${reason.text}`,
    ),
  ],
  replay: () => [],
  deal: ({ launchId, reason }) => [about(`launch/${launchId}`, reason)],
  'give-up': ({ launchId, reason }) => [about(`launch/${launchId}`, reason)],
  advance: ({ node, reason }) => [about(`node/${node}`, reason)],
  test: ({ node, reason }) => [about(`node/${node}`, reason)],
  reboot: ({ node, reason }) =>
    reason.code === 'StillThere' ? [] : [about(`node/${node}`, reason)],
  note: ({ node, reason }) => (reason.code === 'Noted' ? [] : [about(`node/${node}`, reason)]),
  bind: ({ node, replica }) => [
    about(
      `workload/${replica.workload}`,
      { code: 'Bound', text: '' },
      `${replica.id} goes to ${node}`,
    ),
  ],
  stop: ({ node, replica, reason }) => [
    about(
      workloadOf(replica),
      { code: reason.code, text: '' },
      `${replica} on ${node}: ${reason.text}`,
    ),
  ],
  forget: () => [],
  stamp: ({ replica, node, reason }) => [
    about(workloadOf(replica), reason, `${replica} on ${node}: ${reason.text}`),
  ],
  fetched: () => [],
  data: () => [],
  register: ({ replica, node, reason }) => [
    about(workloadOf(replica), reason, `${replica} on ${node}: ${reason.text}`),
  ],
  deregister: ({ replica, node, reason }) => [
    about(workloadOf(replica), reason, `${replica} on ${node}: ${reason.text}`),
  ],
  release: () => [],
  fail: ({ replica, node, reason }) =>
    reason.code === 'Noted'
      ? []
      : [about(workloadOf(replica), reason, `${replica} on ${node}: ${reason.text}`)],
  drain: ({ node, reason }) => [
    about(`node/${node}`, { code: reason.code, text: '' }, `draining: ${reason.text}`),
  ],
  lift: ({ node, reason }) => [about(`node/${node}`, reason)],
  undrain: ({ node, reason }) => [
    about(`node/${node}`, reason, `no longer draining: ${reason.text}`),
  ],
  terminate: ({ node, reason }) =>
    reason.code === 'StillThere'
      ? []
      : [about(`node/${node}`, { code: reason.code, text: '' }, `terminating: ${reason.text}`)],
  remove: ({ node, reason }) => [about(`node/${node}`, reason, `gone: ${reason.text}`)],
  adopt: ({ node, instance, reason }) => [
    about(`node/${node.name}`, reason, `${instance.instanceId}: ${reason.text}`),
  ],
  sweep: ({ instanceIds, reason }) => instanceIds.map((id) => about(`instance/${id}`, reason)),
} satisfies { [K in ActionKind]: Tell<K> }
