/**
 * From stored items to what clients read: pure, one function an answer.
 *
 * Stamps become ISO times and whole units become quantities here and nowhere else.
 */
import { byKey, descending, groupBy } from '#shared/base/order.ts'
import { isServingOn, type Assignment, type BoundReplica } from '#shared/model/assignment.ts'
import { templateKey } from '#shared/model/assignment.ts'
import type { BurnInRecord } from '#shared/model/burn-in-record.ts'
import type { DroverEvent } from '#shared/model/event.ts'
import type { NodeOrder } from '#shared/model/facts.ts'
import { conditionOf } from '#shared/model/health.ts'
import type { Condition, Node, Rung } from '#shared/model/node.ts'
import { addResources, formatMilli, NOTHING, type Resources } from '#shared/model/quantities.ts'
import type { Report, ReportedReplica } from '#shared/model/report.ts'
import { resourcesOf } from '#shared/model/workload.ts'
import { askedBy, findingsOf, isCleared, isGone, severityOf } from '#shared/planner/findings.ts'
import type {
  BurnInRecordAnswer,
  ConditionAnswer,
  EventAnswer,
  NodeAnswer,
  Quantities,
  ReplicaAnswer,
} from '#shared/protocol/api.ts'

/** The last moment that ISO 8601 writes with four digits of year. */
const LAST_MS = 253_402_300_799_999

/** A stamp as text; one from a report may be anything, so it is kept in the calendar. */
export const isoOf = (ms: number): string =>
  new Date(Math.min(Math.max(ms, 0), LAST_MS)).toISOString()

/** Exact, unlike what is shown to people: `8Gi` where it is whole, `7168Mi` where it is not. */
export function quantitiesOf({ cpuMilli, memoryMib, gpuMilli }: Resources): Quantities {
  return { cpu: formatMilli(cpuMilli), memory: memoryText(memoryMib), gpu: formatMilli(gpuMilli) }
}

function memoryText(mib: number): string {
  if (mib === 0) return '0'
  return mib % 1024 === 0 ? `${String(mib / 1024)}Gi` : `${String(mib)}Mi`
}

export function conditionAnswer({ sinceMs, ...condition }: Condition): ConditionAnswer {
  return { ...condition, since: isoOf(sinceMs) }
}

export function eventAnswer({ atMs, ...event }: DroverEvent): EventAnswer {
  return { ...event, at: isoOf(atMs) }
}

export function burnInRecordAnswer(record: BurnInRecord): BurnInRecordAnswer {
  const { kind: _, atMs, ...told } = record
  return { ...told, at: isoOf(atMs) }
}

/** One node with what stands beside it in the table. */
export type NodeView = {
  readonly node: Node
  readonly assignment: Assignment | undefined
  readonly report: Report | undefined
  readonly order: NodeOrder | undefined
}

/** What the replicas bound to a node ask for together, stopping ones included. */
export function requestedOn({ assignment }: Pick<NodeView, 'assignment'>): Resources {
  if (assignment === undefined) return NOTHING
  return assignment.replicas.reduce((sum, replica) => {
    const template = assignment.templates[templateKey(replica)]
    return template === undefined ? sum : addResources(sum, resourcesOf(template))
  }, NOTHING)
}

export function nodeAnswer(view: NodeView): NodeAnswer {
  const { node, assignment, order } = view
  const { machine } = node
  const burnIn = burnInAnswer(node)
  return {
    name: node.name,
    phase: node.phase,
    pool: node.pool,
    ...(machine === undefined
      ? {}
      : {
          instanceId: machine.instanceId,
          instanceType: machine.instanceType,
          zone: machine.zone,
        }),
    capacityType: node.capacityType,
    priceUsdPerHour: machine?.priceUsdPerHour ?? node.claim.dearestUsdPerHour,
    ...(machine === undefined ? {} : { allocatable: quantitiesOf(machine.allocatable) }),
    requested: quantitiesOf(requestedOn(view)),
    replicas: assignment?.replicas.map((replica) => replica.id) ?? [],
    ...(burnIn === undefined ? {} : { burnIn }),
    cordoned: node.cordoned,
    ...(order === undefined ? {} : { order: orderAnswer(order) }),
    conditions: nodeConditions(node).map(conditionAnswer),
    ...(node.reason === undefined ? {} : { reason: node.reason }),
    createdAt: isoOf(node.createdAtMs),
  }
}

function orderAnswer({ verb, force, deadlineSeconds, atMs }: NodeOrder): NodeAnswer['order'] {
  return { verb, force, deadlineSeconds, at: isoOf(atMs) }
}

/** Only once there is a verdict: until then the phase says that it is being tested. */
function burnInAnswer({ burnIn }: Node): NodeAnswer['burnIn'] {
  if (burnIn?.verdict === undefined) return undefined
  const { verdict, suite, checks } = burnIn
  return { verdict, suite, at: isoOf(burnIn.atMs ?? burnIn.startedAtMs), checks }
}

/** `Ready` always; the others only while they hold. */
export function nodeConditions(node: Node): Condition[] {
  const ready = node.phase === 'ready'
  const conditions: Condition[] = [
    {
      type: 'Ready',
      status: ready,
      reason: ready ? 'BurnInPassed' : titled(node.phase),
      text: node.reason ?? `the node is ${node.phase}`,
      sinceMs: node.phaseSinceMs,
    },
  ]
  const add = (sinceMs: number | undefined, rest: Omit<Condition, 'status' | 'sinceMs'>): void => {
    if (sinceMs !== undefined) conditions.push({ ...rest, status: true, sinceMs })
  }
  add(node.silentSinceMs, { type: 'Silent', reason: 'NoBeat', text: 'its agent is not heard' })
  add(node.lostSinceMs, {
    type: 'Lost',
    reason: 'Confirmed',
    text: 'its silence is confirmed; its replicas are being replaced',
  })
  const { verdict, checks = [], atMs, startedAtMs, retryAtMs, mended = [] } = node.burnIn ?? {}
  if (verdict === 'WARN' || retryAtMs !== undefined) {
    const told = checks.filter((own) => own.verdict === verdict)
    add(atMs ?? startedAtMs, {
      type: verdict === 'WARN' ? 'BurnInWarning' : 'BurnInRetry',
      reason: titled((verdict ?? 'UNKNOWN').toLowerCase()),
      text: told.map((own) => `${own.name}: ${own.text}`).join('; '),
    })
  }
  add(node.burnIn?.overdueSinceMs, {
    type: 'CertificateAge',
    reason: 'Overdue',
    text: 'its last test is older than its pool allows',
  })
  const rung = mended.at(-1)
  if (node.phase === 'testing' && rung !== undefined) {
    add(node.burnIn?.reboot?.sinceMs ?? startedAtMs, {
      type: 'BurnInRepair',
      ...REPAIRS[rung],
    })
  }
  if (node.interruption !== undefined) {
    add(node.interruption.noticedAtMs, {
      type: 'Interrupted',
      reason: 'SpotInterruption',
      text: `EC2 ends the machine at ${isoOf(node.interruption.deadlineMs)}`,
    })
  }
  add(node.rebalanceAtMs, {
    type: 'RebalanceRecommended',
    reason: 'Ec2Recommendation',
    text: 'EC2 expects to need the machine back',
  })
  if (node.drain !== undefined) {
    const { reason, text, sinceMs } = node.drain
    add(sinceMs, { type: 'Draining', reason, text })
  }
  return [...conditions, ...healthConditions(node)]
}

/** One a sort of problem, in the words of the worst. */
function healthConditions(node: Node): readonly Condition[] {
  const there = findingsOf(node).filter((own) => !isGone(own))
  const bySort = groupBy(there, ({ reason }) => conditionOf(reason).type)
  return [...bySort.values()].flatMap((own) => {
    const worst = own.toSorted(descending(byKey((one) => severityOf(askedBy(one, node)))))
    const [first] = worst
    if (first === undefined) return []
    const text = worst.map((one) => (one === first ? one.text : `${one.reason}: ${one.text}`))
    const sinceMs = Math.min(...own.map((one) => one.sinceMs))
    const cleared = isCleared(first, node) ? ' (it has passed a test since)' : ''
    const told = `${text.join('; ')}${cleared}`
    return [{ ...conditionOf(first.reason), reason: first.reason, text: told, sinceMs }]
  })
}

const REPAIRS = {
  again: { reason: 'Again', text: 'it failed its burn-in and is looked at once more' },
  reset: { reason: 'GpuReset', text: 'it failed its burn-in; its GPUs are reset' },
  reboot: { reason: 'Reboot', text: 'it failed its burn-in and boots anew' },
} as const satisfies Record<Rung, { reason: string; text: string }>

const titled = (phase: string): string => phase.charAt(0).toUpperCase() + phase.slice(1)

/** A bound replica as its node's last report shows it. */
export function replicaAnswer(replica: BoundReplica, { node, report }: NodeView): ReplicaAnswer {
  const seen = report?.replicas.find((own) => own.id === replica.id)
  return {
    id: replica.id,
    workload: replica.workload,
    version: replica.version,
    node: node.name,
    phase: phaseOf(replica, seen),
    // However its report lags: whoever calls ready replicas must not meet one that is about to go.
    ready: replica.order === 'run' && seen?.phase === 'ready' && seen.ready && isServed(replica),
    restarts: seen?.restarts ?? 0,
    ...(seen?.startedAtMs === undefined ? {} : { startedAt: isoOf(seen.startedAtMs) }),
    addresses: seen?.addresses ?? {},
    gpus: replica.gpus.map((gpu) => gpu.index),
    ...(seen?.lastExit === undefined ? {} : { lastExit: exitAnswer(seen.lastExit) }),
  }
}

/** Behind a load balancer, ready means healthy there. */
const isServed = ({ balanced, readySinceMs }: BoundReplica): boolean =>
  balanced === undefined || readySinceMs !== undefined

const ENDED: readonly string[] = ['gone', 'failed']

function phaseOf(replica: BoundReplica, seen: ReportedReplica | undefined): string {
  if (replica.order === 'run') return seen?.phase ?? 'assigned'
  if (isServingOn(replica)) return 'deregistering'
  return seen !== undefined && ENDED.includes(seen.phase) ? seen.phase : 'stopping'
}

function exitAnswer(exit: NonNullable<ReportedReplica['lastExit']>): ReplicaAnswer['lastExit'] {
  const { code, signal, reason, atMs } = exit
  return {
    ...(code === undefined ? {} : { code }),
    ...(signal === undefined ? {} : { signal }),
    reason,
    at: isoOf(atMs),
  }
}

export function waitingAnswer(id: string, workload: string, version: string): ReplicaAnswer {
  return {
    id,
    workload,
    version,
    phase: 'waiting',
    ready: false,
    restarts: 0,
    addresses: {},
    gpus: [],
  }
}
