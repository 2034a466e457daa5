/**
 * What must hold all day, as somebody sees it who knows the quotas and reads the plans: whoever is
 * entitled has its room in time, nobody is sent away in vain, and nothing is lent, taken back and
 * lent again in a circle.
 */
import { LIMITS } from '#shared/model/limits.ts'
import { quotasOf } from '#test/simulation/auditor/quotas.ts'
import { DAY_MS, GRACE_SECONDS_MAX, type Day, type DayStep, type DayWorkload } from './day.ts'
import { sentAwayInVain } from '../in-vain.ts'
import { BOOT_MS, live, type Passed } from './herd.ts'

/**
 * What a reclaim takes at most: the delay, the least time anybody runs, the longest grace, and some
 * passes. Where machines are bought one may be on its way, and come to nothing for them.
 */
export function inTimeMs({ isElastic }: Pick<Day, 'isElastic'>): number {
  const { reclaimAfterMs, reclaimMinRuntimeMs } = LIMITS
  const graceMs = GRACE_SECONDS_MAX * 1_000
  return reclaimAfterMs + reclaimMinRuntimeMs + graceMs + (isElastic ? BOOT_MS : 0) + 15_000
}

/**
 * How often one replica may be lent room and lose it in a day. After the nth time in a row its team
 * borrows nothing for a minute, then 2, 4 … 64, and only an hour beyond that it is forgiven. The
 * most comes of whoever waits for that hour after each fifth time or so.
 */
export function mostReclaims(forMs: number): number {
  const { borrowCoolDownMs, borrowCoolDownDoublings, borrowForgivenAfterMs } = LIMITS
  let most = 0
  for (let inARow = 1; inARow <= borrowCoolDownDoublings + 1; inARow += 1) {
    let cycleMs = borrowForgivenAfterMs
    for (let n = 0; n < inARow; n += 1) cycleMs += borrowCoolDownMs * 2 ** n
    most = Math.max(most, inARow * Math.ceil(forMs / cycleMs))
  }
  return most
}

export type DayFound = {
  readonly seed: number
  readonly faults: readonly string[]
  readonly passes: number
  readonly binds: number
  readonly reclaims: number
  /** Of the replica that lost its room most often. */
  readonly mostReclaims: number
  /** The longest that somebody entitled had to wait, where all replicas are of one size. */
  readonly longestWaitMs: number
}

export function watchDay(day: Day): DayFound {
  const faults: string[] = []
  const blame = (text: string): void => {
    faults.push(`day ${String(day.seed)}: ${text}`)
  }
  const demand = new Map<string, number>()
  const rights = watchRights(day, { demand, blame })
  const circles = watchCircles(day, blame)
  let binds = 0
  const passes = live(day, {
    asked: (step) => {
      demand.set(step.name, step.replicas)
      rights.asked(step)
      circles.asked(step)
    },
    passed: (passed) => {
      binds += passed.made.actions.filter((own) => own.kind === 'bind').length
      sentAwayInVain(passed.world, passed.made).forEach(blame)
      rights.passed(passed)
      circles.passed(passed)
    },
  })
  const { reclaims, perReplica } = circles.counts()
  if (perReplica > mostReclaims(DAY_MS)) {
    blame(`a replica was reclaimed ${String(perReplica)} times`)
  }
  const found = { seed: day.seed, faults, passes, binds, reclaims, mostReclaims: perReplica }
  return { ...found, longestWaitMs: rights.longestMs() }
}

type Blame = (text: string) => void
type RightsSetup = { readonly demand: ReadonlyMap<string, number>; readonly blame: Blame }

/** Each team has what it is guaranteed and wants, its firm work first. */
function watchRights(day: Day, { demand, blame }: RightsSetup) {
  const isEven = day.workloads.every((own) => own.cpu === '1')
  /** Since when the team has lacked something that it has a right to. */
  const lackingSince = new Map<string, number>()
  let longestMs = 0
  return {
    longestMs: () => longestMs,
    /** Who asks for something else begins to wait anew. */
    asked: ({ name, atMs }: DayStep): void => {
      const team = day.workloads.find((own) => own.name === name)?.team ?? ''
      if (lackingSince.has(team)) lackingSince.set(team, atMs)
    },
    passed: ({ world, atMs }: Passed): void => {
      if (!isEven) return
      const quotas = quotasOf({ teams: world.teams, policy: day.policy }, [])
      const running = runningOf(world)
      for (const { name: team } of day.teams) {
        const quota = Math.floor(quotas.guaranteeOf(team).cpuMilli / 1_000)
        const mine = inTurn(day.workloads.filter((own) => own.team === team))
        let left = quota
        let [rights, firmRights] = [0, 0]
        for (const { name, preemptible } of mine) {
          const part = Math.min(left, demand.get(name) ?? 0)
          left -= part
          rights += part
          if (!preemptible) firmRights += part
        }
        const has = (group: readonly DayWorkload[]): number =>
          group.reduce((sum, own) => sum + (running.get(own.name) ?? 0), 0)
        const firm = mine.filter((own) => !own.preemptible)
        const lacks = has(mine) < rights || has(firm) < firmRights
        if (!lacks) {
          lackingSince.delete(team)
          continue
        }
        const sinceMs = lackingSince.get(team) ?? atMs
        lackingSince.set(team, sinceMs)
        longestMs = Math.max(longestMs, atMs - sinceMs)
        if (atMs - sinceMs <= inTimeMs(day)) continue
        blame(`team ${team} has lacked what it is guaranteed since +${clock(sinceMs)}`)
        lackingSince.set(team, atMs)
      }
    },
  }
}

/** The more important first; of equals those that cannot borrow. */
function inTurn(workloads: readonly DayWorkload[]): readonly DayWorkload[] {
  return workloads.toSorted(
    (a, b) => b.priority - a.priority || Number(a.preemptible) - Number(b.preemptible),
  )
}

function runningOf({ assignments }: Passed['world']): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { order, workload } of assignments.flatMap((own) => own.replicas)) {
    if (order === 'run') counts.set(workload, (counts.get(workload) ?? 0) + 1)
  }
  return counts
}

/**
 * A replica that was lent room while its team, which had just given way, might not borrow, and that
 * lost it again: the planner runs in a circle. Where its own team asked for something else
 * meanwhile, what it had by right may have become a loan.
 */
function watchCircles(day: Day, blame: Blame) {
  const coolDowns = openCoolDowns()
  /** By replica: when it was bound, and whether its team might borrow nothing then. */
  const bound = new Map<string, { readonly atMs: number; readonly isCooling: boolean }>()
  const askedAtMs = new Map<string, number>()
  const counts = new Map<string, number>()
  const teamOf = new Map(day.workloads.map((own) => [own.name, own.team]))
  return {
    asked: ({ name, atMs }: DayStep): void => {
      askedAtMs.set(teamOf.get(name) ?? '', atMs)
    },
    counts: () => {
      const all = [...counts].map(([name, count]) => ({ count, most: mostWanted(day, name) }))
      return {
        reclaims: all.reduce((sum, own) => sum + own.count, 0),
        perReplica: Math.max(0, ...all.map(({ count, most }) => Math.ceil(count / most))),
      }
    },
    passed: ({ made, atMs }: Passed): void => {
      const teams = new Set<string>()
      for (const action of made.actions) {
        if (action.kind === 'bind') {
          const isCooling = coolDowns.isCooling(teamOf.get(action.replica.workload) ?? '', atMs)
          bound.set(action.replica.id, { atMs, isCooling })
        }
        if (action.kind !== 'stop' || action.reason.code !== 'Reclaimed') continue
        const name = action.replica.slice(0, action.replica.indexOf('/'))
        const team = teamOf.get(name) ?? ''
        teams.add(team)
        counts.set(name, (counts.get(name) ?? 0) + 1)
        const known = bound.get(action.replica)
        if (known?.isCooling !== true || (askedAtMs.get(team) ?? 0) >= known.atMs) continue
        const was = `${action.replica} was lent room at +${clock(known.atMs)}`
        blame(`${was}, just after its team had given way, and lost it at +${clock(atMs)}`)
      }
      for (const team of teams) coolDowns.note(team, atMs)
    },
  }
}

type Row = { readonly count: number; readonly endsAtMs: number }

/** The watch's own books of who may borrow again when. */
function openCoolDowns() {
  const { borrowCoolDownMs, borrowCoolDownDoublings, borrowForgivenAfterMs } = LIMITS
  const last = new Map<string, Row>()
  const isCooling = (team: string, atMs: number): boolean => atMs < (last.get(team)?.endsAtMs ?? 0)
  return {
    isCooling,
    note: (team: string, atMs: number): void => {
      // Several that go in one cool-down count once.
      if (isCooling(team, atMs)) return
      const known = last.get(team)
      const isForgiven = known === undefined || atMs >= known.endsAtMs + borrowForgivenAfterMs
      const count = isForgiven ? 1 : known.count + 1
      const factor = 2 ** Math.min(count - 1, borrowCoolDownDoublings)
      last.set(team, { count, endsAtMs: atMs + factor * borrowCoolDownMs })
    },
  }
}

const mostWanted = ({ steps }: Day, name: string): number =>
  Math.max(1, ...steps.flatMap((own) => (own.name === name ? [own.replicas] : [])))

/** `13:05:20` */
function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19)
}
