/**
 * What must hold of teams' quotas, on days that nobody thought of.
 *
 * A herd that cannot grow, and teams whose work comes and goes: whoever is entitled gets its room
 * in time, and what gave way borrows nothing for longer each time. That nobody gives way in vain is
 * `victims.property.test.ts`; whole days are in `days/`.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import type { Action, Plan } from '#shared/planner/actions.ts'
import { changedItems, draftOf } from '#shared/planner/fold.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'

const TEAMS = ['red', 'green', 'blue']
/** Each node has room for three replicas of one CPU. */
const NODES = 4

const days = fc.record({
  /** In CPUs; together no more than the herd has. */
  quotas: fc.tuple(fc.nat(4), fc.constantFrom(0, 4), fc.constantFrom(1, 4)),
  lends: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  hours: fc.array(
    fc.record({
      team: fc.constantFrom(...TEAMS),
      preemptible: fc.boolean(),
      replicas: fc.constantFrom(0, 0, 1, 2, 5, 12),
      minutes: fc.constantFrom(1, 1, 2, 5, 20),
    }),
    { minLength: 6, maxLength: 18 },
  ),
})
type Day = typeof days extends fc.Arbitrary<infer T> ? T : never

function worldOf({ quotas, lends }: Pick<Day, 'quotas' | 'lends'>, cpus: string[]): World {
  const world = newWorld()
  const names = new Set(['m7a.xlarge'])
  world.catalog = world.catalog.filter((own) => names.has(own.name))
  world.offerings = world.offerings.filter((own) => names.has(own.instanceType))
  tell(
    world,
    `pool general instances.types=[m7a.xlarge] limits.cpu=${String(NODES * 4)} repack.when=never`,
  )
  for (let i = 0; i < NODES; i += 1) {
    tell(world, `node n${String(i)} general m7a.xlarge us-east-1a on-demand ready`)
  }
  TEAMS.forEach((team, i) => {
    const lend = lends[i] === true ? '' : 'lend.cpu=1'
    tell(world, `team ${team} quota.cpu=${String(quotas[i] ?? 0)} ${lend}`)
    for (const kind of KINDS) ask(world, { team, kind, replicas: 0, cpu: cpus[i] ?? '1' })
  })
  return world
}

const KINDS = ['firm', 'loose'] as const
type Request = { team: string; kind: (typeof KINDS)[number]; replicas: number; cpu: string }

function ask(world: World, { team, kind, replicas, cpu }: Request): void {
  const words = `replicas=${String(replicas)} team=${team} preemptible=${String(kind === 'loose')}`
  tell(world, `workload ${team}-${kind} ${words} resources.cpu=${cpu} rollout.maxUnavailable=100%`)
}

/** One pass, and what agents make of it: what is bound is ready, what is to stop has stopped. */
function pass(world: World, seconds: number): Plan {
  tell(world, `pass +${String(seconds)}s`)
  const made = plan(world)
  const { nodes, assignments } = changedItems(draftOf(world), made.draft)
  for (const own of nodes) {
    world.nodes[world.nodes.findIndex((old) => old.name === own.name)] = own
  }
  for (const own of assignments) {
    world.assignments[world.assignments.findIndex((old) => old.arn === own.arn)] = own
    tell(world, `obey ${own.node}`)
  }
  world.workloadStatuses = [...made.plan.workloadStatuses]
  return made.plan
}

type Look = (made: Plan) => void

/** Passes at the moments that the plans themselves name, and one a second where one decides. */
function settle(world: World, forMs: number, look?: Look): Plan[] {
  const plans: Plan[] = []
  const endMs = world.nowMs + forMs
  while (world.nowMs < endMs) {
    const nextMs = plans.at(-1)?.nextAtMs ?? Infinity
    const seconds = Math.ceil((Math.min(nextMs, endMs) - world.nowMs) / 1000)
    const made = pass(world, plans.at(-1)?.actions.length === 0 ? Math.max(1, seconds) : 1)
    look?.(made)
    plans.push(made)
  }
  return plans
}

function runningOf(world: World, workload: string): number {
  return world.assignments
    .flatMap((own) => own.replicas)
    .filter((own) => own.order === 'run' && own.workload === workload).length
}

/** What a reclaim takes at most: the delay, the least time anybody runs, and some passes. */
const IN_TIME_MS = LIMITS.reclaimAfterMs + LIMITS.reclaimMinRuntimeMs + 10_000

describe('quotas of teams', () => {
  it('give every team what it is guaranteed, in time', () => {
    fc.assert(
      fc.property(days, (day) => {
        const world = worldOf(day, ['1', '1', '1'])
        for (const { team, preemptible, replicas } of day.hours) {
          ask(world, { team, kind: preemptible ? 'loose' : 'firm', replicas, cpu: '1' })
          settle(world, IN_TIME_MS)
          TEAMS.forEach((own, i) => {
            const [firm, loose] = KINDS.map((kind) => runningOf(world, `${own}-${kind}`))
            const wanted = KINDS.map((kind) => wantedOf(world, `${own}-${kind}`))
            const quota = day.quotas[i] ?? 0
            const entitled = Math.min(quota, (wanted[0] ?? 0) + (wanted[1] ?? 0))
            expect((firm ?? 0) + (loose ?? 0), own).toBeGreaterThanOrEqual(entitled)
            expect(firm, own).toBeGreaterThanOrEqual(Math.min(quota, wanted[0] ?? 0))
            // Only preemptible work runs on what others leave idle.
            expect(firm, own).toBeLessThanOrEqual(Math.max(quota, 0))
          })
        }
      }),
      { numRuns: 60 },
    )
  })

  it('do not start and stop work for ever where the need of its lender comes and goes', () => {
    const flips = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 30, maxLength: 60 })
    fc.assert(
      fc.property(flips, (minutes) => {
        const world = worldOf({ quotas: [4, 4, 4], lends: [true, true, true] }, ['1', '1', '1'])
        ask(world, { team: 'blue', kind: 'loose', replicas: 12, cpu: '1' })
        const beganMs = world.nowMs
        let times = 0
        minutes.forEach((own, i) => {
          ask(world, { team: 'red', kind: 'firm', replicas: i % 2 === 0 ? 4 : 0, cpu: '1' })
          const plans = settle(world, own * 60_000)
          if (plans.some((made) => made.actions.some(isReclaim))) times += 1
        })
        // After the nth time nothing is borrowed for 2^(n-1) minutes.
        expect(times).toBeGreaterThan(1)
        expect(2 ** (times - 2)).toBeLessThanOrEqual((world.nowMs - beganMs) / 60_000)
      }),
      { numRuns: 15 },
    )
  })

  it('never start what they send away again while nobody asks for anything else', () => {
    fc.assert(
      fc.property(days, (day) => {
        const world = worldOf(day, ['1', '1', '1'])
        for (const { team, preemptible, replicas, minutes } of day.hours) {
          ask(world, { team, kind: preemptible ? 'loose' : 'firm', replicas, cpu: '1' })
          const started = new Set<string>()
          settle(world, (86_400_000 * minutes) / (20 * day.hours.length), (made) => {
            for (const own of made.actions) {
              if (own.kind === 'bind') started.add(own.replica.id)
              if (own.kind === 'stop' && isReclaim(own)) expect(started).not.toContain(own.replica)
            }
          })
        }
      }),
      { numRuns: 40 },
    )
  })

  it('come to rest: where nobody asks for anything else, nobody is sent away', () => {
    fc.assert(
      fc.property(days, (day) => {
        const world = worldOf(day, ['1', '1', '1'])
        for (const { team, preemptible, replicas } of day.hours) {
          ask(world, { team, kind: preemptible ? 'loose' : 'firm', replicas, cpu: '1' })
          settle(world, 60_000)
        }
        settle(world, 2 * 3_600_000)
        const later = settle(world, 12 * 3_600_000).flatMap((own) => own.actions)
        expect(later.map((own) => own.kind)).toEqual([])
      }),
      { numRuns: 40 },
    )
  })
})

function wantedOf(world: World, workload: string): number {
  return world.workloads.find((own) => own.name === workload)?.spec.replicas ?? 0
}

const isReclaim = (action: Action): boolean =>
  action.kind === 'stop' && action.reason.code === 'Reclaimed'
