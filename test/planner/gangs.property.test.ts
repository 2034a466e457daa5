/**
 * What must hold of gangs, on days that nobody thought of.
 *
 * A pool of so many machines, each with room for one replica; gangs that want them, and other work
 * that is less important. Machines come up late or not at all, and some end.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { restartsWhole } from '#shared/model/gang.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import type { Plan } from '#shared/planner/actions.ts'
import { changedItems, draftOf } from '#shared/planner/fold.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'

const DEADLINE_SECONDS = 600
/** A claim comes up after so many passes, where it does. */
const BOOT_PASSES = 2

type GangDraw = { size: number; member: boolean; priority: number }

const gangDraws = fc.record<GangDraw>({
  size: fc.integer({ min: 1, max: 5 }),
  member: fc.boolean(),
  priority: fc.integer({ min: 0, max: 1 }),
})

const days = fc.record({
  machines: fc.integer({ min: 2, max: 5 }),
  gangs: fc.array(gangDraws, { minLength: 1, maxLength: 3 }),
  others: fc.integer({ min: 0, max: 3 }),
  steps: fc.array(
    fc.record({
      seconds: fc.constantFrom(1, 1, 5, 30, 120, 400),
      fate: fc.constantFrom('up', 'up', 'up', 'up', 'nothing', 'death', 'resize', 'version'),
      who: fc.nat(9),
    }),
    { minLength: 10, maxLength: 30 },
  ),
})

function worldOf(machines: number): World {
  const world = newWorld()
  world.catalog = world.catalog.filter((own) => own.name === 'm7a.xlarge')
  world.offerings = world.offerings.filter((own) => own.instanceType === 'm7a.xlarge')
  limit(world, machines)
  return world
}

function limit(world: World, machines: number): void {
  const pool = 'pool general instances.types=[m7a.xlarge] capacityTypes=[on-demand]'
  tell(world, `${pool} limits.cpu=${String(machines * 4)} repack.when=never`)
}

function askGang(world: World, name: string, { size, member, priority }: GangDraw): void {
  const gang = member ? '{restart:member}' : 'true'
  const words = [`gang=${gang}`, `gangDeadlineSeconds=${String(DEADLINE_SECONDS)}`]
  const count = `replicas=${String(size)} priority=${String(priority)}`
  tell(world, `workload ${name} ${count} ${words.join(' ')} resources.cpu=3`)
}

function askOthers(world: World, count: number): void {
  tell(world, `workload other replicas=${String(count)} priority=-1 resources.cpu=3`)
}

type Luck = { readonly comes?: boolean; readonly starts?: boolean }

/** One pass, and what becomes of it: claims come up, what is bound is ready, what stops is gone. */
function pass(world: World, seconds: number, { comes = true, starts = true }: Luck = {}): Plan {
  tell(world, `pass +${String(seconds)}s`)
  const made = plan(world)
  const { removed } = changedItems(draftOf(world), made.draft)
  const gone = new Set(removed.map(({ node }) => node.name))
  world.nodes = [...made.draft.nodes.values()].filter((own) => !gone.has(own.name))
  world.assignments = [...made.draft.assignments.values()].filter((own) => !gone.has(own.node))
  world.workloadStatuses = [...made.plan.workloadStatuses]
  world.poolStatuses = [...made.plan.poolStatuses]
  world.brakes = []
  for (const { name, phase, createdAtMs } of world.nodes) {
    const isDue = world.nowMs - createdAtMs >= BOOT_PASSES * 1_000
    if (phase === 'terminating') tell(world, `ended ${name}`)
    else if (phase !== 'launching') {
      if (starts) tell(world, `obey ${name}`)
    } else if (comes && isDue) tell(world, `up ${name} m7a.xlarge us-east-1a`)
  }
  return made.plan
}

function settle(world: World, forSeconds: number, luck: Luck = {}): void {
  const endMs = world.nowMs + forSeconds * 1_000
  for (let next = 1; world.nowMs < endMs;) {
    const made = pass(world, next, luck)
    const waitMs = (made.nextAtMs ?? world.nowMs + 10_000) - world.nowMs
    next = made.actions.length > 0 ? 1 : Math.max(1, Math.min(10, Math.ceil(waitMs / 1_000)))
    expectWhole(world, made)
  }
}

const workloadOf = (world: World, name: string): WorkloadItem =>
  must(
    world.workloads.find((own) => own.name === name),
    name,
  )

const runningOf = (world: World, name: string): number =>
  world.assignments
    .filter((own) =>
      world.nodes.some(({ name: node, phase }) => node === own.node && !ENDED.has(phase)),
    )
    .flatMap((own) => own.replicas)
    .filter((own) => own.workload === name && own.order === 'run').length

const ENDED: ReadonlySet<string> = new Set(['terminating', 'gone'])

const heldBy = (world: World, name: string): number =>
  (world.workloadStatuses.find((own) => own.name === name)?.reservations ?? []).reduce(
    (sum, own) => sum + own.count,
    0,
  )

/** A pass binds all that a gang lacks or nothing of it; of one that restarts whole all run. */
function expectWhole(world: World, { actions }: Plan): void {
  for (const { name, spec } of world.workloads) {
    if (spec.gang === undefined || spec.gang === false) continue
    const desired = spec.replicas ?? 0
    const bound = actions.filter((own) => own.kind === 'bind' && own.replica.workload === name)
    const run = runningOf(world, name)
    if (bound.length > 0) expect(run, name).toBe(desired)
    const stopped = actions.some((own) => own.kind === 'stop' && own.replica.startsWith(`${name}/`))
    if (stopped && restartsWhole(spec)) expect(run, name).toBe(0)
    if (restartsWhole(spec)) expect([0, desired], name).toContain(run)
  }
}

describe('gangs', () => {
  it('are bound whole or not at all, and what is left of one does not run on', () => {
    fc.assert(
      fc.property(days, ({ machines, gangs, others, steps }) => {
        const world = worldOf(machines)
        const sizes = gangs.map((own) => ({ ...own, size: Math.min(own.size, machines) }))
        sizes.forEach((own, i) => {
          askGang(world, `g${String(i)}`, own)
        })
        askOthers(world, others)
        for (const { seconds, fate, who } of steps) {
          const ready = world.nodes.filter((own) => own.phase === 'ready')
          const victim = ready[who % Math.max(1, ready.length)]
          const at = who % gangs.length
          const own = must(sizes[at], 'a gang')
          if (fate === 'death' && victim !== undefined) tell(world, `ended ${victim.name}`)
          if (fate === 'resize') {
            sizes[at] = { ...own, size: 1 + (own.size % machines) }
            askGang(world, `g${String(at)}`, must(sizes[at], 'a gang'))
          }
          if (fate === 'version') {
            const name = `g${String(at)}`
            const spec = workloadOf(world, name)
            const env = { STEP: String(world.nowMs) }
            const i = world.workloads.indexOf(spec)
            world.workloads[i] = { ...spec, spec: { ...spec.spec, env } }
          }
          const made = pass(world, seconds, { comes: fate !== 'nothing' })
          expectWhole(world, made)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('never wait for each other: of two that do not both fit one starts, then the other', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 5 }),
        fc.tuple(gangDraws, gangDraws),
        fc.nat(4),
        (machines, [a, b], lost) => {
          const world = worldOf(machines + 4)
          const sizes = [Math.min(a.size, machines), Math.min(b.size, machines)]
          askGang(world, 'a', { ...a, size: sizes[0] ?? 1 })
          pass(world, 1, { comes: false })
          askGang(world, 'b', { ...b, size: sizes[1] ?? 1 })
          pass(world, 1, { comes: false })
          // Each has room on its way; then the pool shrinks, and some of that room is lost.
          limit(world, machines)
          const claims = world.nodes.map((own) => own.name)
          const surplus = Math.max(lost, claims.length - machines)
          const every = claims.filter((_, i) => i % 2 === 0)
          const given = [...every, ...claims.filter((own) => !every.includes(own))]
          for (const name of given.slice(0, surplus)) tell(world, `give-up ${name}`)
          settle(world, 60)
          const first = ['a', 'b'].filter((own) => isWhole(world, own))
          expect(first.length).toBeGreaterThan(0)
          for (const own of first) tell(world, `workload ${own} replicas=0 resources.cpu=3`)
          settle(world, 120)
          const other = ['a', 'b'].find((own) => !first.includes(own))
          if (other !== undefined) expect(isWhole(world, other), other).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('let go of all they hold at their deadline, and try again later each time', () => {
    fc.assert(
      fc.property(gangDraws, fc.boolean(), (gang, comes) => {
        const world = worldOf(5)
        askGang(world, 'g', gang)
        const tries: number[] = []
        let heldSinceMs: number | undefined
        let letGoMs = 0
        // Machines never come, or replicas never become ready.
        for (let i = 0; i < 600; i += 1) {
          pass(world, i % 3 === 0 ? 1 : 5, { comes, starts: false })
          const holds = heldBy(world, 'g') + runningOf(world, 'g') > 0
          if (holds && heldSinceMs === undefined) {
            if (letGoMs > 0) tries.push(world.nowMs - letGoMs)
            heldSinceMs = world.nowMs
          }
          if (holds) {
            const ageMs = world.nowMs - must(heldSinceMs, 'since')
            expect(ageMs).toBeLessThan(DEADLINE_SECONDS * 1_000 + 1_000)
          } else if (heldSinceMs !== undefined) {
            heldSinceMs = undefined
            letGoMs = world.nowMs
            for (const { name, phase } of world.nodes) {
              if (phase === 'ready') tell(world, `obey ${name}`)
            }
          }
        }
        expect(tries.length).toBeGreaterThan(1)
        tries.forEach((own, i) => {
          expect(own).toBeGreaterThanOrEqual(60_000 * 2 ** i)
        })
      }),
      { numRuns: 25 },
    )
  })

  it('leave the others what they cannot use, and in the end what they hold in vain', () => {
    fc.assert(
      fc.property(gangDraws, fc.integer({ min: 1, max: 3 }), (gang, others) => {
        const tooLarge = worldOf(3)
        askGang(tooLarge, 'g', { ...gang, size: 4 })
        askOthers(tooLarge, others)
        settle(tooLarge, 30)
        expect(runningOf(tooLarge, 'other')).toBe(others)
        expect(heldBy(tooLarge, 'g')).toBe(0)

        // All the room is the gang's while it forms; once it has given up, the others are served.
        const inVain = worldOf(3)
        for (const node of ['n1', 'n2']) {
          tell(inVain, `node ${node} general m7a.xlarge us-east-1a on-demand ready`)
        }
        askGang(inVain, 'g', { ...gang, size: 3 })
        askOthers(inVain, Math.min(2, others))
        settle(inVain, DEADLINE_SECONDS - 60, { comes: false })
        expect(runningOf(inVain, 'other')).toBe(0)
        settle(inVain, 120, { comes: false })
        expect(runningOf(inVain, 'other')).toBe(Math.min(2, others))
      }),
      { numRuns: 40 },
    )
  })
})

const isWhole = (world: World, name: string): boolean =>
  runningOf(world, name) === workloadOf(world, name).spec.replicas
