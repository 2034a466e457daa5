/**
 * A random day of a firm: teams with quotas, work of theirs, and how much of it is wanted when.
 *
 * All of it follows from the seed. Demand mostly comes and goes some times an hour; now and then a
 * workload flaps, up and down every few minutes, as a broken autoscaler would make it.
 */
import type { QuotaPolicyName } from '#shared/model/quota-policy.ts'
import { makeChance, type Chance } from '#test/simulation/chance.ts'

export const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

/** Each node has room for three replicas of one CPU. */
export const PER_NODE = 3

export type Day = {
  readonly seed: number
  readonly policy: QuotaPolicyName
  /** As many as the pool's limit lets in. */
  readonly nodes: number
  /** They are bought and ended as needed; else all of them stand there all day. */
  readonly isElastic: boolean
  readonly teams: readonly DayTeam[]
  readonly workloads: readonly DayWorkload[]
  readonly steps: readonly DayStep[]
}

export type DayTeam = {
  readonly name: string
  readonly cpus: number
  readonly borrow: 'existing' | 'buy' | 'none'
  readonly lend?: number
  readonly weight: number
}

export type DayWorkload = {
  readonly name: string
  readonly team: string
  readonly cpu: string
  readonly preemptible: boolean
  readonly priority: number
  readonly graceSeconds: number
}

export type DayStep = { readonly atMs: number; readonly name: string; readonly replicas: number }

const SIZES = ['500m', '700m', '1500m', '2']
const MOST_REPLICAS = 8
/** Takes whatever is lent, all day. */
const HUNGRY_REPLICAS = 15
/** Longer than any grace drawn: what a stop takes at most. */
export const GRACE_SECONDS_MAX = 30

export function dayOf(seed: number): Day {
  const chance = makeChance(seed)
  const nodes = chance.int('nodes', { min: 2, max: 5 })
  const teams = teamsOf(chance, nodes * PER_NODE)
  const isMixed = chance.of('mixed') < 0.4
  const workloads = teams.flatMap(({ name: team }) => {
    const count = chance.int(`${team} workloads`, { min: 1, max: 2 })
    return Array.from({ length: count }, (_, i): DayWorkload => {
      const name = `${team}-${String(i + 1)}`
      return {
        ...{ name, team, cpu: isMixed ? chance.pick(`${name} cpu`, SIZES) : '1' },
        preemptible: chance.of(`${name} preemptible`) < 0.7,
        priority: chance.pick(`${name} priority`, [0, 0, 10]),
        graceSeconds: chance.int(`${name} grace`, { min: 1, max: GRACE_SECONDS_MAX }),
      }
    })
  })
  return {
    ...{ seed, nodes, teams, workloads },
    policy: chance.of('policy') < 0.3 ? 'weighted-fair-share' : 'guaranteed-with-borrowing',
    isElastic: chance.of('elastic') < 0.3,
    steps: workloads.flatMap((own) => stepsOf(chance, own)).toSorted((a, b) => a.atMs - b.atMs),
  }
}

/** Two or three, whose quotas together are no more than the herd can hold. */
function teamsOf(chance: Chance, room: number): readonly DayTeam[] {
  const names = ['red', 'green', 'blue'].slice(0, chance.int('teams', { min: 2, max: 3 }))
  let left = room
  return names.map((name) => {
    const cpus = chance.int(`${name} quota`, { min: 0, max: Math.min(left, Math.ceil(room / 2)) })
    left -= cpus
    return {
      ...{ name, cpus, weight: chance.pick(`${name} weight`, [1, 1, 2]) },
      borrow: chance.pick(`${name} borrow`, ['existing', 'existing', 'buy', 'none']),
      ...(chance.of(`${name} lends little`) < 0.25 ? { lend: 1 } : {}),
    }
  })
}

/** Some changes a day, and, for one workload in three, a spell of flapping besides. */
function stepsOf(chance: Chance, { name, preemptible }: DayWorkload): readonly DayStep[] {
  const isHungry = preemptible && chance.of(`${name} is hungry`) < 0.4
  if (isHungry) return [{ atMs: 0, name, replicas: HUNGRY_REPLICAS }]
  const perHour = chance.pick(`${name} pace`, [0.2, 0.5, 1])
  const calm = momentsOf(chance, `${name} calm`, { perHour, fromMs: 0, endMs: DAY_MS })
  const fromMs = chance.int(`${name} spell`, { min: 0, max: 22 * 60 }) * MINUTE_MS
  const forMs = chance.int(`${name} spell for`, { min: 20, max: 120 }) * MINUTE_MS
  const spell = { perHour: 12, fromMs, endMs: fromMs + forMs }
  const flaps = chance.of(`${name} flaps`) < 0.35 ? momentsOf(chance, `${name} flap`, spell) : []
  return [
    { atMs: 0, name, replicas: countOf(chance, `${name} first`) },
    ...calm.map((atMs, i) => {
      return { atMs, name, replicas: countOf(chance, `${name} calm ${String(i)}`) }
    }),
    ...flaps.map((atMs, i) => ({ atMs, name, replicas: i % 2 === 0 ? MOST_REPLICAS : 0 })),
  ]
}

const countOf = (chance: Chance, key: string): number =>
  chance.of(`${key} none`) < 0.45 ? 0 : chance.int(key, { min: 1, max: MOST_REPLICAS })

type Pace = { readonly perHour: number; readonly fromMs: number; readonly endMs: number }

function momentsOf(chance: Chance, what: string, { perHour, fromMs, endMs }: Pace): number[] {
  const moments: number[] = []
  let atMs = fromMs
  for (let i = 0; ; i += 1) {
    atMs += chance.waitMs(`${what} ${String(i)}`, perHour)
    if (atMs >= endMs) return moments
    moments.push(atMs)
  }
}
