/**
 * Teams' quotas, summed up by the auditor itself: what is guaranteed, and who is covered by it.
 */
import { parseMib, parseMilli } from '#shared/model/quantities.ts'
import type { QuotaPolicyName } from '#shared/model/quota-policy.ts'
import type { TeamItem, WorkloadItem } from '#shared/model/spec-item.ts'
import { desiredOf } from './available.ts'
import { needOf, plus, ZERO, type Amount } from './needs.ts'
import type { Knowledge } from './rule.ts'

export type Teams = {
  /** Deleted ones too. */
  readonly teams: readonly TeamItem[]
  readonly policy: QuotaPolicyName
}

export type Quotas = {
  /** All that the workload's team asks for fits its quota; true where there are no teams. */
  isCovered(workload: WorkloadItem): boolean
  /** Infinity where nothing is counted; zero, where others are, for those without a team. */
  guaranteeOf(team: string | undefined): Amount
}

/** As they stand now. */
export function teamsOf({ truth, books }: Pick<Knowledge, 'truth' | 'books'>): Teams {
  return { teams: [...books.teams.values()], policy: truth.quotaPolicy }
}

/** What each replica of a workload takes that runs. */
export type Running = readonly Amount[]

export type Asking = {
  /** By uid: what runs may be larger than the spec, and counts as it is. */
  readonly runningOf?: (uid: string) => Running
  /** Of a replica that is missing; without it, what the spec says. */
  readonly needIn?: (workload: WorkloadItem) => Amount
}

export function quotasOf(
  { teams, policy }: Teams,
  workloads: readonly WorkloadItem[],
  { runningOf = () => [], needIn = ({ spec }) => needOf(spec) }: Asking = {},
): Quotas {
  const live = teams.filter((own) => own.deletedAtMs === undefined)
  const byName = policy === 'weighted-fair-share' ? partsOf(live) : written(live)
  const nobodys = nothingWhereCounted([...byName.values()])
  const guaranteeOf = (team: string | undefined): Amount => byName.get(team ?? '') ?? nobodys
  return {
    guaranteeOf,
    isCovered: ({ spec: { team } }) => {
      if (live.length === 0) return true
      const asked = workloads
        .filter((own) => own.spec.team === team)
        .reduce((sum, own) => {
          return plus(sum, askedBy(own, needIn(own), runningOf(own.uid)))
        }, ZERO)
      return !isBeyond(asked, guaranteeOf(team))
    },
  }
}

/** What is missing of its number is asked for besides what runs, and room for that to grow. */
function askedBy(workload: WorkloadItem, need: Amount, running: Running): Amount {
  const desired = desiredOf(workload)
  const missing = times(need, Math.max(0, desired - running.length))
  const sum = (sizes: readonly Amount[]): Amount => plus(sizes.reduce(plus, ZERO), missing)
  const grown = largestFirst(running.map((own) => larger(own, need))).slice(0, desired)
  return larger(sum(running), sum(grown))
}

/** By CPU, of which quotas mostly speak. */
export function largestFirst(amounts: readonly Amount[]): readonly Amount[] {
  return amounts.toSorted((a, b) => b.cpuMilli - a.cpuMilli)
}

/** In every dimension the larger of the two. */
export const larger = (a: Amount, b: Amount): Amount => ({
  cpuMilli: Math.max(a.cpuMilli, b.cpuMilli),
  memoryMib: Math.max(a.memoryMib, b.memoryMib),
  gpuMilli: Math.max(a.gpuMilli, b.gpuMilli),
  diskMib: Math.max(a.diskMib, b.diskMib),
})

/** True when the amount is above the other in some dimension that quotas count. */
export function isBeyond(amount: Amount, most: Amount): boolean {
  return (
    amount.cpuMilli > most.cpuMilli ||
    amount.memoryMib > most.memoryMib ||
    amount.gpuMilli > most.gpuMilli
  )
}

export function times(amount: Amount, count: number): Amount {
  const { cpuMilli, memoryMib, gpuMilli, diskMib } = amount
  return {
    cpuMilli: cpuMilli * count,
    memoryMib: memoryMib * count,
    gpuMilli: gpuMilli * count,
    diskMib: diskMib * count,
  }
}

const written = (teams: readonly TeamItem[]): ReadonlyMap<string, Amount> =>
  new Map(teams.map((own) => [own.name, quotaOf(own)]))

/** Of one pot of all quotas that are named, each team's part by weight. */
function partsOf(teams: readonly TeamItem[]): ReadonlyMap<string, Amount> {
  const quotas = teams.map(quotaOf)
  const weights = teams.reduce((sum, { spec }) => sum + spec.weight, 0)
  const partOf = (key: keyof Amount, weight: number): number => {
    const named = quotas.map((own) => own[key]).filter((own) => own !== Infinity)
    if (named.length === 0) return Infinity
    const pot = named.reduce((sum, own) => sum + own, 0)
    return weights === 0 ? 0 : Math.floor((pot * weight) / weights)
  }
  return new Map(
    teams.map(({ name, spec: { weight } }) => {
      const [cpuMilli, memoryMib] = [partOf('cpuMilli', weight), partOf('memoryMib', weight)]
      const gpuMilli = partOf('gpuMilli', weight)
      return [name, { cpuMilli, memoryMib, gpuMilli, diskMib: Infinity }]
    }),
  )
}

function quotaOf({ spec: { quota } }: TeamItem): Amount {
  return {
    cpuMilli: quota.cpu === undefined ? Infinity : (parseMilli(quota.cpu) ?? 0),
    memoryMib: quota.memory === undefined ? Infinity : (parseMib(quota.memory) ?? 0),
    gpuMilli: quota.gpu === undefined ? Infinity : (parseMilli(quota.gpu) ?? 0),
    diskMib: Infinity,
  }
}

function nothingWhereCounted(quotas: readonly Amount[]): Amount {
  const of = (key: keyof Amount): number =>
    quotas.some((own) => own[key] !== Infinity) ? 0 : Infinity
  const [cpuMilli, memoryMib] = [of('cpuMilli'), of('memoryMib')]
  return { cpuMilli, memoryMib, gpuMilli: of('gpuMilli'), diskMib: Infinity }
}
