/**
 * What must hold of every plan, on worlds that nobody thought of.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frozen } from '#shared/base/frozen.ts'
import { templateKey } from '#shared/model/assignment.ts'
import { resourcesOf } from '#shared/model/workload.ts'
import { untolerated } from '#shared/planner/demand.ts'
import { changedItems, draftOf, type Draft } from '#shared/planner/fold.ts'
import { floorOf } from '#shared/planner/ledger.ts'
import { plan } from '#shared/planner/plan.ts'
import { desiredOf, isAvailable, replicasByUid } from '#shared/planner/replicas.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'

const TYPES = ['m7a.large', 'm7a.xlarge', 'c7a.large', 'g4dn.xlarge', 'g4dn.12xlarge']
const FAMILIES = ['m7a', 'c7a', 'g4dn']
const ZONES = ['us-east-1a', 'us-east-1b', 'us-east-1c']

const nodeLine = fc.record({
  pool: fc.constantFrom('general', 'gpu'),
  type: fc.constantFrom(...TYPES),
  zone: fc.constantFrom(...ZONES),
  capacity: fc.constantFrom('spot', 'on-demand'),
  phase: fc.constantFrom('ready', 'ready', 'ready', 'testing', 'booting'),
  fate: fc.constantFrom('', '', '', '', 'notice', 'silent', 'ended', 'drain'),
})

const workloadLine = fc.record({
  replicas: fc.integer({ min: 0, max: 12 }),
  cpu: fc.constantFrom('100m', '500m', '1', '3'),
  memory: fc.constantFrom('128Mi', '1Gi', '6Gi'),
  gpu: fc.constantFrom('0', '0', '500m', '1', '2'),
  spot: fc.constantFrom('allowed', 'never', 'required'),
  base: fc.integer({ min: 0, max: 2 }),
  spread: fc.constantFrom('', 'placement.spread=zone', 'placement.antiAffinity=node'),
  minAvailable: fc.constantFrom(
    '',
    '',
    'availability.minAvailable=1',
    'availability.minAvailable=60%',
  ),
  tolerates: fc.boolean(),
  bound: fc.array(fc.nat(), { maxLength: 6 }),
})

const stories = fc.record({
  limit: fc.constantFrom('', 'limits.cpu=8', 'limits.costPerHour=0.5'),
  taint: fc.boolean(),
  nodes: fc.array(nodeLine, { maxLength: 6 }),
  workloads: fc.array(workloadLine, { minLength: 1, maxLength: 5 }),
})

type Story = {
  limit: string
  taint: boolean
  nodes: {
    pool: string
    type: string
    zone: string
    capacity: string
    phase: string
    fate: string
  }[]
  workloads: {
    replicas: number
    cpu: string
    memory: string
    gpu: string
    spot: string
    base: number
    spread: string
    minAvailable: string
    tolerates: boolean
    bound: number[]
  }[]
}

function worldOf(story: Story): World {
  const world = newWorld()
  world.catalog = world.catalog.filter((own) => FAMILIES.includes(own.family))
  const names = new Set(world.catalog.map((own) => own.name))
  world.offerings = world.offerings.filter((own) => names.has(own.instanceType))
  tell(world, `pool general instances.families=[m7a,c7a] instances.maxVcpu=16 ${story.limit}`)
  const taint = story.taint ? 'taints=[{key:gpu}]' : ''
  tell(world, `pool gpu instances.families=[g4dn] ${taint}`)
  story.nodes.forEach((own, i) => {
    tell(
      world,
      `node n${String(i)} ${own.pool} ${own.type} ${own.zone} ${own.capacity} ${own.phase}`,
    )
  })
  story.workloads.forEach((own, i) => {
    const name = `w${String(i)}`
    const tolerations = own.tolerates ? 'tolerations=[{key:gpu}]' : ''
    const { spread, minAvailable } = own
    const cpu = `resources.cpu=${own.cpu} resources.memory=${own.memory}`
    const gpu = `resources.gpu=${own.gpu}`
    const capacity = `capacity.spot=${own.spot} capacity.onDemandBase=${String(own.base)}`
    const count = `replicas=${String(own.replicas)}`
    const words = [count, cpu, gpu, capacity, spread, minAvailable, tolerations]
    tell(world, `workload ${name} ${words.join(' ')}`)
    for (const at of own.bound) bindWhereItFits(world, name, at)
  })
  story.nodes.forEach((own, i) => {
    const node = `n${String(i)}`
    if (own.fate === 'notice') tell(world, `notice ${node}`)
    if (own.fate === 'ended') tell(world, `ended ${node}`)
    if (own.fate === 'silent') tell(world, `silent ${node}`)
    if (own.fate === 'drain') tell(world, `order drain ${node}`)
  })
  return world
}

/** Binds a ready replica of a workload without GPUs to a node that has room and may carry it. */
function bindWhereItFits(world: World, name: string, at: number): void {
  const workload = world.workloads.find((own) => own.name === name)!
  const open = world.nodes.filter((node) => {
    const pool = world.pools.find((own) => own.name === node.pool)!
    return node.phase === 'ready' && untolerated(pool.spec, workload.spec) === undefined
  })
  const node = open[at % Math.max(1, open.length)]
  if (node === undefined || resourcesOf(workload.spec).gpuMilli > 0) return
  tell(world, `replica ${name} ${node.name} ready`)
  if (!fits(draftOf(world), node.name)) {
    const own = world.assignments.find((one) => one.node === node.name)!
    own.replicas = own.replicas.slice(0, -1)
  }
}

/** Requests on the node and on each of its devices stay within what it offers. */
function fits(draft: Draft, name: string): boolean {
  const machine = draft.nodes.get(name)?.machine
  const assignment = draft.assignments.get(name)
  if (machine === undefined || assignment === undefined) return true
  const devices = Array<number>(machine.gpuCount).fill(1000)
  let { cpuMilli, memoryMib } = machine.allocatable
  for (const replica of assignment.replicas) {
    const need = resourcesOf(assignment.templates[templateKey(replica)]!)
    cpuMilli -= need.cpuMilli
    memoryMib -= need.memoryMib
    for (const { index, milli } of replica.gpus) devices[index] = (devices[index] ?? 0) - milli
  }
  return cpuMilli >= 0 && memoryMib >= 0 && devices.every((free) => free >= 0)
}

const RUNS = { numRuns: 60 }

describe('every plan', () => {
  it('is the same for the same snapshot, and survives JSON', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const world = worldOf(story)
        const made = plan(world).plan
        expect(plan(world).plan).toEqual(made)
        expect(JSON.parse(JSON.stringify(made))).toEqual(made)
      }),
      RUNS,
    )
  })

  it('is the same whether or not what it was made from is remembered', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const world = worldOf(story)
        const made = plan(world)
        const kept = frozen(structuredClone(world))
        for (const again of [plan(kept), plan(kept)]) {
          expect(again.plan).toEqual(made.plan)
          expect(changedItems(draftOf(kept), again.draft)).toEqual(
            changedItems(draftOf(world), made.draft),
          )
        }
      }),
      RUNS,
    )
  })

  it('never overfills a node or a device', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const world = worldOf(story)
        const { draft } = plan(world)
        for (const name of draft.nodes.keys()) expect(fits(draft, name)).toBe(true)
      }),
      RUNS,
    )
  })

  it('binds only to ready nodes whose taints are tolerated, and gives each GPU asked for', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const world = worldOf(story)
        const { plan: made, draft } = plan(world)
        for (const action of made.actions) {
          if (action.kind !== 'bind') continue
          const node = draft.nodes.get(action.node)!
          const pool = world.pools.find((own) => own.name === node.pool)!
          const workload = world.workloads.find((own) => own.uid === action.replica.uid)!
          expect(node.phase).toBe('ready')
          expect(untolerated(pool.spec, workload.spec)).toBeUndefined()
          const milli = action.replica.gpus.reduce((sum, own) => sum + own.milli, 0)
          expect(milli).toBe(resourcesOf(workload.spec).gpuMilli)
        }
      }),
      RUNS,
    )
  })

  it('has every wanted replica bound, on its way, or refused with a reason', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const world = worldOf(story)
        const { plan: made } = plan(world)
        for (const refusal of made.unschedulable) expect(refusal.reasons.length).toBeGreaterThan(0)
        for (const status of made.workloadStatuses) {
          const waiting = status.waiting.reduce((sum, own) => sum + own.count, 0)
          expect(status.assigned + waiting).toBeGreaterThanOrEqual(status.desired)
        }
      }),
      RUNS,
    )
  })

  it('takes no ready replica below the floor while a drain still has time', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const world = worldOf(story)
        const { plan: made, draft } = plan(world)
        const before = replicasByUid(draftOf(world))
        const after = replicasByUid(draft)
        const scaled = new Set(
          made.actions.flatMap((own) =>
            own.kind === 'stop' && own.reason.code === 'ScaledIn'
              ? [own.replica.split('/')[0]]
              : [],
          ),
        )
        for (const workload of world.workloads) {
          const ended = world.signals.some((own) => own.state !== undefined)
          const silent = world.beats.length < world.reports.length
          if (ended || silent || scaled.has(workload.name)) continue
          const count = (of: typeof before): number =>
            (of.get(workload.uid) ?? []).filter((own) =>
              isAvailable(own, workload.spec, world.nowMs),
            ).length
          const floor = floorOf(workload.spec, desiredOf(workload))
          expect(count(after)).toBeGreaterThanOrEqual(Math.min(count(before), floor))
        }
      }),
      RUNS,
    )
  })

  it('keeps a pool inside its limits, whatever EC2 brings', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const world = worldOf(story)
        const { plan: made, draft } = plan(world)
        const bought = made.actions.filter((own) => own.kind === 'launch')
        for (const pool of world.pools) {
          if (!bought.some((own) => own.launch.pool === pool.name)) continue
          const nodes = [...draft.nodes.values()].filter((own) => own.pool === pool.name)
          const usd = nodes.reduce(
            (sum, own) => sum + (own.machine?.priceUsdPerHour ?? own.claim.dearestUsdPerHour),
            0,
          )
          const { costPerHour } = pool.spec.limits
          if (costPerHour !== undefined) expect(usd).toBeLessThanOrEqual(costPerHour + 1e-9)
        }
      }),
      RUNS,
    )
  })

  it('comes to rest: passes that carry it out soon ask for nothing more', () => {
    fc.assert(
      fc.property(stories, (story) => {
        let world = worldOf(story)
        const asked: string[] = []
        for (let i = 0; i < PASSES_TO_REST; i += 1) {
          const made = plan(world)
          world = carriedOut(world, made)
          asked.push(made.plan.actions.map((own) => own.kind).join(' '))
        }
        const kinds = plan(world).plan.actions.map((own) => own.kind)
        const why = asked.join('; ')
        for (const kind of ['launch', 'bind', 'stop'] as const) {
          expect(kinds, why).not.toContain(kind)
        }
      }),
      RUNS,
    )
  })
})

/**
 * One pass decides nearly everything. A coming node may be filled otherwise once its neighbour is
 * ready, and then one more is bought.
 */
const PASSES_TO_REST = 3

/** The world of the next pass: all is as planned, and no time has gone by. */
function carriedOut(world: World, { plan: made, draft }: ReturnType<typeof plan>): World {
  const { nodes, assignments } = changedItems(draftOf(world), draft)
  return {
    ...world,
    pass: { ...world.pass, epoch: world.pass.epoch + 1 },
    nodes: merge(draft.nodes.values(), nodes, (own) => own.name),
    assignments: merge(draft.assignments.values(), assignments, (own) => own.node),
    workloadStatuses: [...made.workloadStatuses],
    poolStatuses: [...made.poolStatuses],
    teamStatuses: [...made.teamStatuses],
    brakes: [...made.brakes],
  }
}

function merge<T>(old: Iterable<T>, fresh: readonly T[], name: (item: T) => string): T[] {
  const byName = new Map([...old].map((own) => [name(own), own]))
  for (const own of fresh) byName.set(name(own), own)
  return [...byName.values()].sort((a, b) => (name(a) < name(b) ? -1 : 1))
}
