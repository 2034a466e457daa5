/**
 * A herd that lives through a day: the planner, stepped from snapshot to snapshot at the moments
 * that its own plans name, and around it what EC2 and the agents make of its plans.
 *
 * Machines come up a minute and a half after they were asked for, replicas are ready some seconds
 * after they were bound, and whoever is told to stop takes all its grace.
 */
import type { Assignment } from '#shared/model/assignment.ts'
import type { Plan } from '#shared/planner/actions.ts'
import { changedItems, draftOf } from '#shared/planner/fold.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '#test/scenarios/world.ts'
import type { Day, DayStep, DayWorkload } from './day.ts'

export const BOOT_MS = 90_000
const START_MS = 5_000
/** More in a row, each a second after the other, and it will never end. */
const PASSES_MAX = 20_000
const TYPE = 'm7a.xlarge'

export type Passed = {
  readonly world: World
  readonly made: Plan
  /** As they stood before the plan was carried out. */
  readonly before: readonly Assignment[]
  /** Since the day began. */
  readonly atMs: number
}

export type Watch = {
  asked(step: DayStep): void
  passed(passed: Passed): void
}

/** Lives through the day and tells of every step; how many passes it took. */
export function live(day: Day, watch: Watch): number {
  const world = worldOf(day)
  const startMs = world.nowMs
  const events: Event[] = []
  const steps = [...day.steps]
  let passes = 0
  for (let made: Plan | undefined; passes < PASSES_MAX; passes += 1) {
    const atMs = world.nowMs - startMs
    for (let step = steps[0]; step !== undefined && step.atMs <= atMs; step = steps[0]) {
      steps.shift()
      ask(world, day, step)
      watch.asked(step)
    }
    for (const { act } of takeDue(events, world.nowMs)) act()
    const before = world.assignments
    made = pass(world, events)
    watch.passed({ world, made, before, atMs })
    const moments = [...events.map((own) => own.atMs), made.nextAtMs ?? Infinity]
    const nextMs = made.actions.length > 0 ? 0 : Math.min(...moments)
    const stepMs = steps[0] === undefined ? Infinity : startMs + steps[0].atMs
    const untilMs = Math.max(world.nowMs + 1_000, Math.min(nextMs, stepMs))
    if (untilMs === Infinity || untilMs > startMs + DAY_END_MS) return passes
    tell(world, `pass +${String(Math.ceil((untilMs - world.nowMs) / 1_000))}s`)
  }
  throw new Error(`day ${String(day.seed)} does not come to rest`)
}

/** The day and the hours that the longest cool-down takes to be forgiven. */
const DAY_END_MS = 27 * 3_600_000

type Event = { readonly atMs: number; readonly act: () => void }

function takeDue(events: Event[], nowMs: number): readonly Event[] {
  const due = events.filter((own) => own.atMs <= nowMs)
  events.splice(0, Infinity, ...events.filter((own) => own.atMs > nowMs))
  return due
}

function worldOf({ policy, nodes, isElastic, teams, workloads }: Day): World {
  const world = newWorld()
  world.catalog = world.catalog.filter((own) => own.name === TYPE)
  world.offerings = world.offerings.filter((own) => own.instanceType === TYPE)
  tell(world, `settings quotaPolicy=${policy}`)
  const limit = `limits.cpu=${String(nodes * 4)} capacityTypes=[on-demand]`
  const when = isElastic ? 'empty' : 'never'
  tell(world, `pool general instances.types=[${TYPE}] ${limit} repack.when=${when}`)
  for (let i = 0; i < nodes && !isElastic; i += 1) {
    tell(world, `node n${String(i)} general ${TYPE} us-east-1a on-demand ready`)
  }
  for (const { name, cpus, borrow, lend, weight } of teams) {
    const most = lend === undefined ? '' : ` lend.cpu=${String(lend)}`
    const terms = `borrow=${borrow} weight=${String(weight)}${most}`
    tell(world, `team ${name} quota.cpu=${String(cpus)} ${terms}`)
  }
  for (const own of workloads) want(world, own, 0)
  return world
}

function ask(world: World, { workloads }: Day, { name, replicas }: DayStep): void {
  for (const own of workloads) if (own.name === name) want(world, own, replicas)
}

function want(world: World, own: DayWorkload, replicas: number): void {
  const { name, team, cpu, preemptible, priority, graceSeconds } = own
  const whose = `team=${team} preemptible=${String(preemptible)} priority=${String(priority)}`
  const how = `terminationGraceSeconds=${String(graceSeconds)} rollout.maxUnavailable=100%`
  tell(
    world,
    `workload ${name} replicas=${String(replicas)} ${whose} resources.cpu=${cpu} ` +
      `resources.memory=256Mi ${how}`,
  )
}

function pass(world: World, events: Event[]): Plan {
  const made = plan(world)
  const { nodes, assignments, removed } = changedItems(draftOf(world), made.draft)
  const gone = new Set(removed.map(({ node }) => node.name))
  const freshNodes = new Set(nodes.map((own) => own.name))
  const freshBodies = new Set(assignments.map((own) => own.node))
  world.nodes = [
    ...world.nodes.filter((own) => !gone.has(own.name) && !freshNodes.has(own.name)),
    ...nodes,
  ]
  world.assignments = [
    ...world.assignments.filter((own) => !gone.has(own.node) && !freshBodies.has(own.node)),
    ...assignments,
  ]
  world.workloadStatuses = [...made.plan.workloadStatuses]
  world.poolStatuses = [...made.plan.poolStatuses]
  world.teamStatuses = [...made.plan.teamStatuses]
  for (const action of made.plan.actions) {
    if (action.kind === 'terminate') tell(world, `ended ${action.node}`)
    if (action.kind !== 'launch') continue
    const { id } = action.launch
    events.push({
      atMs: world.nowMs + BOOT_MS,
      act: () => {
        tell(world, `deal ${id}`)
      },
    })
  }
  for (const own of assignments) events.push(obeying(world, own))
  return made.plan
}

/** When the last of those who are told to stop has gone, the agent has done all it was told. */
function obeying(world: World, { node, replicas }: Assignment): Event {
  const graces = replicas.flatMap((own) => (own.order === 'stop' ? [own.graceSeconds] : []))
  const takesMs = Math.max(START_MS, ...graces.map((own) => own * 1_000))
  return {
    atMs: world.nowMs + takesMs,
    act: () => {
      const isThere = world.assignments.some((own) => own.node === node)
      if (isThere) tell(world, `obey ${node}`)
    },
  }
}
