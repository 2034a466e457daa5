/**
 * Convergence: once nothing goes wrong any more, the herd is what people asked for, and no more.
 *
 * It lists what is still in the way. A workload that is short is excused only where drover says why
 * and the world agrees: there is nothing left to buy, or a pool's limit stands. One that can never
 * run must have a reason.
 */
import type { Place } from '#shared/cloud/memory-ec2/types.ts'
import { gangDeadlineMs, isGang } from '#shared/model/gang.ts'
import { countOf } from '#shared/model/quantities.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import type { WorkloadStatus } from '#shared/model/status.ts'
import { keys } from '#shared/store/keys.ts'
import type { Truth } from '../traffic.ts'
import { baseOf, desiredOf } from './available.ts'
import { makeBuyable, zonesOpenTo, type Buyable } from './buyable.ts'
import { dependenciesOf, neededOf, waitsForOthers } from './dependencies.ts'
import { statusOf, versionsStanding } from './items.ts'
import { quotasNow } from './quotas-in-use.ts'
import { isGood, runningNow, type RunningNow } from './replicas-now.ts'
import type { Knowledge, Rule } from './rule.ts'
import { countedIn } from './scaled.ts'

/** Reasons that speak of what can be bought now, and not of the workload itself. */
const OF_THE_MARKET: ReadonlySet<string> = new Set([
  'PoolLimit',
  'Shortage',
  'InsufficientInstanceCapacity',
  'MaxSpotInstanceCountExceeded',
  'VcpuLimitExceeded',
  // The zone it is tied to may be sold out.
  'Topology',
  // Its pool may have lost the types that would do.
  'NoZone',
  'NoMatchingType',
  'TooLarge',
])

/** What is said besides of a gang that finds no room for all of it, or did not in time. */
const OF_GANGS: ReadonlySet<string> = new Set(['GangIncomplete', 'GangWaits', 'GangHeldOff'])

/** Reasons that hold only for those whose team asks for more than its quota, or who have none. */
const OF_QUOTAS: ReadonlySet<string> = new Set(['TeamQuota', 'NothingIdle'])

export function makeConvergence(knowledge: Knowledge): Rule {
  const { truth, books } = knowledge
  return {
    unsettled: () => {
      const running = runningNow(truth)
      const buyable = makeBuyable(knowledge)
      const impossible = truth.impossibleWorkloads()
      const quotas = quotasNow(knowledge)
      const found = [...books.workloads.values()].flatMap((workload) => {
        const own = running.get(workload.name) ?? []
        const status = statusOf(truth.get(keys.status('workload', workload.name)))
        const isCovered = quotas.isCovered(workload)
        const isLive = workload.deletedAtMs === undefined
        const waitsRightly = waitsForOthers(status) && lacksOthers(workload, { running, truth })
        if (isLive && impossible.has(workload.name)) return unexplained(workload, status)
        const shortage = isLive
          ? tooFew(workload, own, { status, buyable, isCovered, waitsRightly })
          : NO_SHORTAGE
        const versions = versionsStanding(workload, status)
        return [...shortage.faults, ...tooMany(workload, own, { ...shortage, versions })]
      })
      const unknown = [...running].flatMap(([name, own]) =>
        books.workloads.has(name) || truth.get(keys.spec('workload', name)) !== undefined
          ? []
          : [`${String(own.length)} processes run for workload ${name}, which is not there`],
      )
      return [...found, ...unknown]
    },
  }
}

/** What a workload lacks, unless there is nothing that could be had for it. */
type Shortage = { readonly faults: readonly string[]; readonly isExcused: boolean }
const NO_SHORTAGE: Shortage = { faults: [], isExcused: false }

type Facts = {
  readonly status: WorkloadStatus | undefined
  readonly buyable: Buyable
  /** By its team's quota; true where there are no teams. */
  readonly isCovered: boolean
  /** One that it depends on is not available. */
  readonly waitsRightly: boolean
}

function tooFew(
  workload: WorkloadItem,
  running: readonly RunningNow[],
  { status, buyable, isCovered, waitsRightly }: Facts,
): Shortage {
  const desired = desiredOf(workload)
  const versions = versionsStanding(workload, status)
  const good = running.filter((own) => isGood(own, versions)).length
  if (good >= desired) return NO_SHORTAGE
  // Whether that one should be is judged of it.
  if (waitsRightly) return { faults: [], isExcused: true }
  const waiting = status?.uid === workload.uid ? status.waiting : []
  const reasons = waiting.flatMap((own) => own.reasons)
  const told = reasons.map((own) => `${own.code}: ${own.text}`).join('; ')
  const short = `workload ${workload.name}: ${String(good)} of ${String(desired)} are well`
  const isExplained = waiting.some((own) => own.unschedulableSinceMs !== undefined)
  if (isExplained && !isCovered && reasons.some((own) => OF_QUOTAS.has(own.code))) {
    return { faults: [], isExcused: true }
  }
  const isOfMarket = reasons.some(
    ({ code }) => OF_THE_MARKET.has(code) || (isGang(workload) && OF_GANGS.has(code)),
  )
  if (!isExplained || !isOfMarket) {
    return { faults: [`${short} (${told === '' ? 'no reason given' : told})`], isExcused: false }
  }
  if (isGang(workload) && !isJudgedGang(workload)) return { faults: [], isExcused: true }
  const wanted = {
    ...{ ...zonesOpenTo(workload, running), isClosed: closedByStorms(workload, running, status) },
    ...(isGang(workload) ? { count: desired - good } : {}),
  }
  const where = buyable.where(workload.spec, wanted)
  if (where === undefined) return { faults: [], isExcused: true }
  return { faults: [`${short} (${told}), and there is ${where}`], isExcused: false }
}

type Herd = {
  readonly running: ReadonlyMap<string, readonly RunningNow[]>
  readonly truth: Truth
}

function lacksOthers(workload: WorkloadItem, { running, truth }: Herd): boolean {
  const find = (name: string): WorkloadItem | undefined => countedIn(truth.get, name)
  return dependenciesOf(workload, find).some((name) => {
    const other = find(name)
    if (other === undefined || other.deletedAtMs !== undefined) return true
    const status = statusOf(truth.get(keys.status('workload', name)))
    const healthy = (running.get(name) ?? []).filter((own) => own.healthy && !own.stopping)
    return healthy.length < neededOf(other, status)
  })
}

/** Longer than a machine takes to boot and to be tested, with time to spare for a second try. */
const GANG_DEADLINE_LEAST_MS = 600_000

/**
 * Only the plainest gangs: all of it may be in one place, and its deadline leaves time to come up.
 */
function isJudgedGang(workload: WorkloadItem): boolean {
  const { spec } = workload
  const { spread, affinity, antiAffinity } = spec.placement
  return (
    (spread ?? affinity ?? antiAffinity) === undefined &&
    spec.availability.minAvailable === undefined &&
    baseOf(workload) === 0 &&
    gangDeadlineMs(spec) >= GANG_DEADLINE_LEAST_MS
  )
}

/**
 * A storm takes one type in one zone at once, and must leave `minAvailable`: such a place is closed
 * once it holds as many as the workload can lose. Who asked for spot and nothing else is exempt.
 */
function closedByStorms(
  workload: WorkloadItem,
  running: readonly RunningNow[],
  status: WorkloadStatus | undefined,
): (place: Place) => boolean {
  const { availability, capacity } = workload.spec
  const least = availability.minAvailable
  if (least === undefined || capacity.spot === 'required') return () => false
  const desired = desiredOf(workload)
  // What a quota keeps from it is not there to be lost.
  const total = Math.min(
    desired,
    status?.uid === workload.uid ? (status.allowed ?? desired) : desired,
  )
  const most = total - countOf(least, { total, round: 'up' })
  return ({ instanceType, zone, capacityType }) => {
    if (capacityType !== 'spot') return false
    const there = running.filter(
      (own) =>
        own.capacityType === 'spot' && own.instanceType === instanceType && own.zone === zone,
    )
    return there.length >= most
  }
}

/** Old versions stay while the new ones cannot be had: taking them away would help nobody. */
function tooMany(
  workload: WorkloadItem,
  running: readonly RunningNow[],
  { isExcused, versions }: Shortage & { readonly versions: readonly string[] },
): string[] {
  const desired = desiredOf(workload)
  const [version = ''] = versions
  const name = `workload ${workload.name}`
  const current = running.filter((own) => own.version === version && !own.stopping).length
  const old = running.filter((own) => !versions.includes(own.version) && !own.stopping).length
  const stopping = running.filter((own) => own.stopping)
  const first = stopping[0]
  return [
    ...(current > desired ? [`${name}: ${String(current)} run of ${String(desired)} wanted`] : []),
    ...(old > 0 && !isExcused
      ? [`${name}: ${String(old)} run that are not of version ${version}`]
      : []),
    ...(first === undefined
      ? []
      : [`${name}: ${String(stopping.length)} are stopping (${first.replicaId})`]),
  ]
}

/** One that cannot run wholly says why. */
function unexplained({ name, uid }: WorkloadItem, status: WorkloadStatus | undefined): string[] {
  if (status?.uid !== uid) return [`workload ${name} can never run, and has no status`]
  const isTold =
    status.waiting.some((own) => own.reasons.length > 0) ||
    status.conditions.some((own) => own.text !== '')
  return isTold ? [] : [`workload ${name} can never run, and its status does not say why`]
}
