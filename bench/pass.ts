/**
 * `npm run bench:pass`: what one reconcile pass costs when little or nothing is to be done.
 *
 * A simulated year is mostly passes that decide nothing: the items are those of the pass before,
 * but for the beats. So a herd of fifty nodes and five hundred replicas is brought up by the real
 * reconcile and left to itself, and then passes are timed that find it as it was, or one replica
 * short. `decide` is the work between the reading and the writing; `pass` is all of reconcile on
 * the store and the EC2 in memory. An agent's part is one event on a node with ten replicas.
 */
import { parseArgs } from 'node:util'
import { initialState, type AgentState } from '#agent/state.ts'
import { nextTickAtMs, step } from '#agent/step.ts'
import { assert, must } from '#shared/base/assert.ts'
import { defaultOfferings } from '#shared/catalog/defaults.ts'
import { DEFAULT_ZONES } from '#shared/catalog/zones.ts'
import { makeMemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import { makeMemoryFleet } from '#shared/cloud/memory-fleet.ts'
import { carryOut } from '#shared/controllers/reconcile/carry-out.ts'
import { eventsOf } from '#shared/controllers/reconcile/events.ts'
import { makeFence, takeEpoch } from '#shared/controllers/reconcile/fence.ts'
import { reconcile, snapshotSettings } from '#shared/controllers/reconcile/reconcile.ts'
import type { ReconcilePorts } from '#shared/controllers/reconcile/settings.ts'
import { assignmentSchema, type Assignment } from '#shared/model/assignment.ts'
import type { Action } from '#shared/planner/actions.ts'
import { plan as makePlan } from '#shared/planner/plan.ts'
import { keys } from '#shared/store/keys.ts'
import { snapshotOf } from '#shared/store/snapshot.ts'
import type { Item, Store } from '#shared/store/store.ts'
import { makeHerd, settings, START_MS, type Herd } from '#test/controllers/reconcile/herd-kit.ts'

const { values } = parseArgs({
  options: {
    repeats: { type: 'string', default: '3000' },
    json: { type: 'boolean', default: false },
  },
})
const REPEATS = Number(values.repeats)
/** As many untimed rounds let the compiler do its work first. */
const WARM_UP = Math.ceil(REPEATS / 4)
/** A simulation makes about a hundred passes an hour. */
const PASS_EVERY_MS = 36_000
const WORKLOADS = 25
const REPLICAS = 20
const FAMILIES = ['m7a', 'c7a', 'r7a', 'm7i', 'c7i', 'r7i']
const SIZES = ['large', 'xlarge', '2xlarge', '4xlarge']
const TYPES = FAMILIES.flatMap((family) => SIZES.map((size) => `${family}.${size}`))

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** Fifty nodes, spot and on-demand, in three zones, carrying twenty replicas of each workload. */
async function raiseHerd(): Promise<Herd> {
  const offerings = defaultOfferings({ zones: DEFAULT_ZONES, atMs: START_MS, seed: 1 })
    .filter((own) => TYPES.includes(own.instanceType))
    .map((own) => ({ ...own, capacity: 50 }))
  const herd = makeHerd({ offerings })
  for (const zone of DEFAULT_ZONES) {
    const prices: Record<string, { onDemand?: number; spot?: number }> = {}
    for (const own of offerings.filter((one) => one.zone === zone)) {
      const price = own.capacityType === 'spot' ? 'spot' : 'onDemand'
      prices[own.instanceType] = { ...prices[own.instanceType], [price]: own.priceUsdPerHour }
    }
    const item = { kind: 'market', zone, atMs: START_MS, prices, ...keys.market(zone) }
    await herd.store.write({ kind: 'put', item })
  }
  await herd.pool('general', { instances: { minVcpu: 16 }, repack: { when: 'never' } })
  for (let i = 0; i < WORKLOADS; i += 1) await herd.workload(`w${String(i)}`, specOf(i))
  await herd.run(60)
  return herd
}

function specOf(i: number): Record<string, unknown> {
  return {
    replicas: REPLICAS,
    resources: { cpu: `${String(1_400 + (i % 4) * 50)}m`, memory: '2Gi' },
    env: { LOG_LEVEL: 'info', SHARD: String(i) },
    ports: [{ name: 'http' }],
    health: { http: { port: 'http' } },
    ...(i % 3 === 0 ? { placement: { spread: 'zone' } } : {}),
    ...(i % 5 === 0 ? { capacity: { spot: 'never' } } : {}),
    ...(i % 5 === 1 ? { capacity: { onDemandBase: 4 } } : {}),
  }
}

type Stage = {
  readonly store: Store
  readonly ports: ReconcilePorts
  /** Lets time pass until the next pass is due; every node beats meanwhile. */
  advance(): Promise<void>
}

/** The herd under a clock that the benchmark moves. */
async function stageOf(herd: Herd): Promise<Stage> {
  let nowMs = herd.now()
  const { store } = herd
  const clock = { now: () => nowMs, sleep: () => Promise.resolve() }
  const world = makeMemoryEc2({ clock: clock.now, options: herd.world.options })
  world.restore(herd.world.dump())
  const beats = (await store.scan()).filter((item) => item['kind'] === 'beat')
  const ports = { ...herd.ports, clock, fleet: makeMemoryFleet(world) }
  return {
    store,
    ports,
    advance: async () => {
      nowMs += PASS_EVERY_MS
      for (const { pk, sk } of beats) await store.update({ pk, sk }, { atMs: nowMs - 1_000 })
    },
  }
}

/** Ports whose reads see one workload grown by a replica, and whose writes are forgotten. */
async function oneShort({ ports, store }: Stage): Promise<ReconcilePorts> {
  const key = keys.spec('workload', 'w2')
  const item = must(await store.get(key), 'workload w2')
  const more = grown(item)
  const applied = { applied: true } as const
  const forgetful: Store = {
    ...store,
    scan: async () => (await store.scan()).map((own) => (own === item ? more : own)),
    transact: () => Promise.resolve(applied),
  }
  const history = { ...ports.history, write: () => Promise.resolve(applied) }
  return { ...ports, store: forgetful, history }
}

function grown(item: Item): Item {
  const spec = Object.freeze({ ...(item['spec'] as object), replicas: REPLICAS + 1 })
  return Object.freeze({ ...item, spec })
}

/** Times what a pass computes between its reading and its writing; returns µs and its actions. */
async function decide(ports: ReconcilePorts): Promise<Timed> {
  const { store, clock } = ports
  const pass = await takeEpoch(store, { nowMs: clock.now(), cluster: settings.cluster })
  const items = await store.scan()
  const startMs = performance.now()
  const context = { nowMs: pass.startedAtMs, pass, settings: snapshotSettings(settings) }
  const snapshot = snapshotOf(items, context)
  const { plan, draft } = makePlan(snapshot)
  const fence = makeFence(ports, pass)
  await carryOut({ ports, settings, fence, snapshot, plan, draft })
  eventsOf(plan)
  const tookUs = (performance.now() - startMs) * 1_000
  // A good pass ends like this; without it, coverage would begin anew each time.
  const ended = { ...pass, lastGoodStartedAtMs: pass.startedAtMs, ...keys.pass() }
  await store.write({ kind: 'put', item: ended })
  return { tookUs, actions: plan.actions.map((own) => own.kind).join() }
}

type Timed = { readonly tookUs: number; readonly actions: string }

async function wholePass(ports: ReconcilePorts): Promise<Timed> {
  const startMs = performance.now()
  const done = await reconcile(ports, settings)
  const tookUs = (performance.now() - startMs) * 1_000
  assert(done.outcome === 'done', 'the pass ends well', done)
  return { tookUs, actions: 'bind'.repeat(done.actions) }
}

type Row = {
  readonly case: string
  /** What a busy neighbour disturbs least. */
  readonly p10Us: number
  readonly medianUs: number
  readonly p99Us: number
  readonly perSecond: number
}

/** Repeats `act`, which must do the same each time, and sums up what it took. */
async function row(
  name: string,
  expected: Action['kind'] | '',
  act: () => Promise<Timed> | Timed,
): Promise<Row> {
  const took: number[] = []
  for (let n = -WARM_UP; n < REPEATS; n += 1) {
    const { tookUs, actions } = await act()
    assert(actions === expected, `${name} decides "${expected}"`, actions)
    if (n >= 0) took.push(tookUs)
  }
  took.sort((a, b) => a - b)
  const quantile = (share: number): number => must(took[Math.floor(share * took.length)], 'a time')
  const meanUs = took.reduce((a, b) => a + b, 0) / took.length
  return {
    case: name,
    p10Us: Math.round(quantile(0.1)),
    medianUs: Math.round(quantile(0.5)),
    p99Us: Math.round(quantile(0.99)),
    perSecond: Math.round(1e6 / meanUs),
  }
}

/** The agent of a node with ten replicas, all of them ready, in the middle of its day. */
function agentOf(assignment: Assignment): AgentState {
  let nowMs = START_MS
  const { arn } = assignment
  const own = { arn, bootId: 'boot-1', agentVersion: 'bench', runtimes: ['process' as const] }
  let state = initialState(own)
  const tell = (event: Parameters<typeof step>[1]): void => {
    state = step(state, event).state
  }
  tell({ kind: 'booted', adopted: [], nowMs })
  tell({ kind: 'assignment-read', assignment, nowMs })
  assignment.replicas.forEach(({ id: replicaId }, i) => {
    const at = { pid: 100 + i, startTime: String(i), startedAtMs: nowMs }
    const where = { ports: { http: 20_000 + i }, addresses: { http: `10.0.0.1:${String(i)}` } }
    tell({ kind: 'process-started', replicaId, process: { ...at, ...where }, nowMs })
    tell({ kind: 'probe-result', replicaId, pid: at.pid, ok: true, nowMs })
  })
  nowMs += 60_000
  tell({ kind: 'tick', nowMs })
  tell({ kind: 'report-written', nowMs })
  tell({ kind: 'beat-written', nowMs })
  return state
}

/** One probe's answer after the other, every second, as they come in on a quiet node. */
function agentEvents(start: AgentState): () => Timed {
  const replicas = Object.values(start.replicas)
  let state = start
  let n = 0
  return () => {
    n += 1
    const nowMs = START_MS + 60_000 + n * 1_000
    const { id: replicaId, process } = must(replicas[n % replicas.length], 'a replica')
    const pid = process.state === 'up' ? process.pid : 0
    const startMs = performance.now()
    const stepped = step(state, { kind: 'probe-result', replicaId, pid, ok: true, nowMs })
    nextTickAtMs(stepped.state, nowMs)
    const tookUs = (performance.now() - startMs) * 1_000
    state = stepped.state
    if (state.beat.inFlight) state = step(state, { kind: 'beat-written', nowMs }).state
    return { tookUs, actions: '' }
  }
}

async function measure(): Promise<readonly Row[]> {
  const herd = await raiseHerd()
  const [nodes, assignments] = [await herd.nodes(), await herd.assignments()]
  const count = assignments.reduce((sum, own) => sum + own.replicas.length, 0)
  const onDemand = nodes.filter((own) => own.capacityType === 'on-demand').length
  if (!values.json) {
    say(`${String(nodes.length)} nodes (${String(onDemand)} on-demand), ${String(count)} replicas`)
  }
  const stage = await stageOf(herd)
  const shortPorts = await oneShort(stage)
  const after = (act: () => Promise<Timed>) => (): Promise<Timed> => stage.advance().then(act)
  const busiest = must(
    assignments.find((own) => own.replicas.length >= 10),
    'a node with ten replicas',
  )
  const agent = agentOf(
    assignmentSchema.parse({ ...busiest, replicas: busiest.replicas.slice(0, 10) }),
  )
  // What came up last is soaked and told by now.
  for (let n = 0; n < 3; n += 1) await after(() => wholePass(stage.ports))()
  return [
    await row(
      'steady: decide',
      '',
      after(() => decide(stage.ports)),
    ),
    await row(
      'steady: pass',
      '',
      after(() => wholePass(stage.ports)),
    ),
    await row(
      'one bind: decide',
      'bind',
      after(() => decide(shortPorts)),
    ),
    await row(
      'one bind: pass',
      'bind',
      after(() => wholePass(shortPorts)),
    ),
    await row('agent: event', '', agentEvents(agent)),
  ]
}

function tell(rows: readonly Row[]): void {
  say('case                   p10 µs median µs    p99 µs  a second')
  for (const { case: own, p10Us, medianUs, p99Us, perSecond } of rows) {
    const numbers = [p10Us, medianUs, p99Us, perSecond].map((figure) => String(figure).padStart(10))
    say(`${own.padEnd(18)} ${numbers.join('')}`)
  }
}

const rows = await measure()
if (values.json) say(JSON.stringify({ repeats: REPEATS, rows }))
else tell(rows)
