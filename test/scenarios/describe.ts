/**
 * A plan as lines that can be read aloud: one an action, its reason last.
 */
import { GPU_RESET } from '#shared/model/burn-in.ts'
import type { Proposal, RepackRefusal } from '#shared/model/proposal.ts'
import { reasonText } from '#shared/model/status.ts'
import type { WorkloadStatus } from '#shared/model/status.ts'
import type { Action, Plan } from '#shared/planner/actions.ts'
import type { Blamed } from '#shared/planner/observe/blame.ts'
import type { CostLines } from '#shared/planner/cost-lines.ts'

/** The plan's lines; `nothing` when it decides nothing. */
export function describePlan(plan: Plan): string[] {
  const lines = [
    ...plan.actions.map(describeAction),
    ...plan.notices.map(({ object, reason }) => `tell ${object}  ${reason.code}: ${reason.text}`),
    ...plan.unschedulable.map(
      (own) =>
        `wait ${own.workload} ×${String(own.count)}  ` +
        own.reasons.map((reason) => `${reason.code}: ${reasonText(reason)}`).join('; '),
    ),
    ...plan.repackRefusals.map(describeRefusal),
    ...plan.workloadStatuses.flatMap((own) => describeGang(own, plan.nowMs)),
    ...(plan.nextAtMs === undefined
      ? []
      : [`next +${String(Math.round((plan.nextAtMs - plan.nowMs) / 1000))}s`]),
  ]
  return lines.length === 0 ? ['nothing'] : lines
}

/** What `repack` found: a line a group, and a line for each machine that stays. */
export function describeProposal({ groups, refused }: Proposal): string[] {
  const lines = [
    ...groups.map(({ reason, launch, retire, shift, savingUsdPerHour, moves }) => {
      const bought = launch.map(({ places, capacityType }) => {
        const [first = '', ...others] = places.map((own) => own.replace('us-east-', ''))
        const more = others.length === 0 ? '' : ` +${String(others.length)}`
        return `${first} ${capacityType}${more}`
      })
      const what = bought.length === 0 ? 'nothing' : bought.join(', ')
      const saved = `saves ${savingUsdPerHour.toFixed(4)}, ${String(moves)} moves`
      const aside = shift.map((own) => `, once ${own.replica} has left ${own.node}`).join('')
      return `repack ${retire.join(' ')} → ${what}${aside}  ${reason}: ${saved}`
    }),
    ...refused.map(describeRefusal),
  ]
  return lines.length === 0 ? ['nothing'] : lines
}

/** A line for each version and node that fail together; `nobody` where nothing fails. */
export function describeBlame(found: readonly Blamed[]): string[] {
  const lines = found.map(({ workload, node, replicas, count, blame }) => {
    const times = `×${String(count)} by ${String(replicas)}`
    return `${workload} on ${node} ${times}  ${blame.code}: ${blame.text}`
  })
  return lines.length === 0 ? ['nobody'] : lines
}

/** A line for each condition of each workload. */
export function describeConditions(statuses: readonly WorkloadStatus[]): string[] {
  return statuses.flatMap(({ name, conditions }) =>
    conditions.map(({ type, status, reason, text }) => {
      const is = status ? type : `not ${type}`
      return `${name} ${is}  ${reason}: ${text}`
    }),
  )
}

/** The fleet, and each line that there is. */
export function describeCost(fleetUsdPerHour: number, lines: CostLines): string[] {
  const costs = Object.entries({ fleet: fleetUsdPerHour, ...lines })
  return costs.filter(([, cost]) => cost > 0).map(([line, cost]) => `${line} $${cost.toFixed(4)}`)
}

function describeRefusal({ retire, reason }: RepackRefusal): string {
  return `keep ${retire.join(' ')}  ${reason.code}: ${reason.text}`
}

/** How far a gang has come, and the room that it holds; nothing of one that waits. */
function describeGang(status: WorkloadStatus, nowMs: number): string[] {
  const { name, gang, reservations = [] } = status
  if (gang === undefined) return []
  const seconds = (ms: number): string => String(Math.round((ms - nowMs) / 1000))
  const { formed, formingSinceMs, failures, heldOffUntilMs } = gang
  const room = reservations.map((own) => `${own.node}×${String(own.count)}`).join(' ')
  const words = [
    ...(formed === undefined ? [] : [`whole with ${String(formed)}`]),
    ...(formingSinceMs === undefined ? [] : [`forms since ${seconds(formingSinceMs)}s`]),
    ...(room === '' ? [] : [`holds ${room}`]),
    ...(failures === undefined ? [] : [`failures=${String(failures)}`]),
    ...(heldOffUntilMs === undefined ? [] : [`held off +${seconds(heldOffUntilMs)}s`]),
  ]
  return [`gang ${name} ${words.join(', ')}`]
}

type Tell<K extends Action['kind']> = (action: Extract<Action, { kind: K }>) => string

function describeAction<K extends Action['kind']>(action: Extract<Action, { kind: K }>): string {
  const body = (tell[action.kind as K] as unknown as Tell<K>)(action)
  return `${action.kind} ${body}  ${action.reason.code}: ${action.reason.text}`
}

const tell = {
  launch: ({ launch }) =>
    `${launch.id} ${launch.pool} ${launch.capacityType} ×${String(launch.claims.length)} ` +
    placesOf(launch.candidates.map((own) => `${own.instanceType}/${own.zone.slice(-2)}`)),
  replay: ({ launchId }) => launchId,
  deal: ({ launchId, instances }) =>
    `${launchId} ${instances.map((own) => own.instanceId).join(' ')}`,
  'give-up': ({ launchId }) => launchId,
  advance: ({ node, to }) => `${node} → ${to}`,
  test: ({ node, attempt, suite, checks, mended }) =>
    `${node} ${suite} #${String(attempt)}` +
    (checks[0]?.check === GPU_RESET.check ? ' with a reset' : '') +
    (mended.length === 0 ? '' : ` after ${mended.join(', ')}`),
  reboot: ({ node }) => node,
  note: ({ node, changes }) => `${node} ${Object.keys(changes).join(' ')}`,
  bind: ({ node, replica }) =>
    `${replica.id} → ${node}` +
    (replica.gpus.length === 0
      ? ''
      : ` gpu ${replica.gpus.map((own) => `${String(own.index)}:${String(own.milli)}`).join(' ')}`),
  stop: ({ node, replica }) => `${replica} on ${node}`,
  forget: ({ node, replicas }) => `${replicas.join(' ')} on ${node}`,
  stamp: ({ node, replica }) => `${replica} on ${node}`,
  fetched: ({ node, replica }) => `${replica} on ${node}`,
  data: ({ node, data }) =>
    [node, ...data.map((own) => `${own.key.slice(0, 4)}=${(own.digest ?? '?').slice(0, 4)}`)].join(
      ' ',
    ),
  register: ({ node, replica, balanced }) => `${replica} on ${node} port ${String(balanced.port)}`,
  deregister: ({ node, replica }) => `${replica} on ${node}`,
  release: ({ node, replica }) => `${replica} on ${node}`,
  fail: ({ node, replica, failures }) => `${replica} on ${node} ×${String(failures.count)}`,
  drain: ({ node, because }) => `${node} ${because}`,
  lift: ({ node, generation }) => `${node} to ${String(generation)}`,
  undrain: ({ node }) => node,
  terminate: ({ node }) => node,
  remove: ({ node }) => node,
  adopt: ({ node, instance }) => `${instance.instanceId} as ${node.name}`,
  sweep: ({ instanceIds }) => instanceIds.join(' '),
} satisfies { [K in Action['kind']]: Tell<K> }

function placesOf(places: readonly string[]): string {
  const shown = places.slice(0, 3).join(' ')
  return places.length > 3 ? `${shown} +${String(places.length - 3)}` : shown
}

/** Where each roll-out stands. */
export function describeRollouts(statuses: readonly WorkloadStatus[]): string[] {
  return statuses.flatMap(({ name, desired, conditions, rollout }) => {
    if (rollout === undefined) return []
    const { active, stable, pending, undone, failed, taken, ready, old } = rollout
    const progress = conditions.find((own) => own.type === 'Progressing')
    return [
      [
        `${name} ${active} ready ${String(ready)}/${String(desired)} old ${String(old)}`,
        stable === undefined ? '' : ` stable ${stable}`,
        pending === undefined ? '' : ` pending ${pending}`,
        undone === undefined ? '' : ` undone ${undone}`,
        rollout.provenAtMs === undefined ? '' : ' proven',
        taken === undefined ? '' : ` taken ${String(taken)}`,
        `  ${progress?.reason ?? ''}`,
        failed === undefined ? '' : `: ${failed.code}: ${failed.text}`,
      ].join(''),
    ]
  })
}
