/**
 * One soak, from an empty directory to no process left.
 *
 * Four phases: the herd comes up; levers are pulled at a steady rate while samples are taken;
 * nothing more is pulled and the herd must become whole; drover is told to end. A check that fails
 * ends nothing: all of them are judged and told.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild, type DroverChild } from '#local/demo/child.ts'
import { isSettled, type Workload } from '#local/demo/herd.ts'
import { processesOf } from '#local/demo/processes-of.ts'
import { describeError } from '#shared/base/errors.ts'
import { makeRandom } from '#shared/base/random.ts'
import { orphansOf } from '#test/e2e/kit.ts'
import { endOnSignal } from '../measure/end-on-signal.ts'
import { emptyCheck, flatnessOf, type Check } from './checks.ts'
import { planHerd } from './documents.ts'
import { listeningPorts, listeningPortsOf, takeSample, type Sample } from './gauges.ts'
import { allowInspector, openHeap, type Heap } from './heap.ts'
import { calm, drawLever, forgetThawed } from './levers.ts'
import { makeScene, type Scene } from './scene.ts'

export type SoakOptions = {
  readonly stateDirectory: string
  readonly minutes: number
  readonly agents: number
  readonly seed: number
  readonly everySeconds: number
  readonly tell: (line: string) => void
  /** Told of each lever as it is pulled. */
  readonly trace: (line: string) => void
}

export type SoakResult = {
  readonly ok: boolean
  readonly checks: readonly Check[]
  readonly upSeconds: number
  readonly wholeSeconds: number
  /** How often each lever did something, and how often it was refused or found nobody. */
  readonly levers: Readonly<Record<string, { readonly pulled: number; readonly missed: number }>>
  readonly answers: Readonly<Record<string, number>>
  readonly samples: readonly Sample[]
  /** Drover's live heap after a forced collection, evenly over the time. */
  readonly heapsMib: readonly number[]
}

const LOOK_MS = 1_000
/** Such a look reads the whole herd a few times over, and must not be what keeps it busy. */
const LOOK_WHOLE_MS = 3_000
const PROGRESS_MS = 10_000
const SAMPLE_MS = 5_000
/** A collection stops drover for a moment, so there are few, however long the soak. */
const HEAPS = 24
/** All of them boot at once, and each boot and burn-in takes a second or two of a core. */
const UP_MS_EACH = 10_000
const UP_MS_LEAST = 120_000
/** Silence is believed after a minute and a half, a round of replacing takes one more. */
const WHOLE_MS = 300_000
const END_MS = 60_000
const COMPLAINT_MAX_CHARS = 300

type Run = {
  readonly options: SoakOptions
  readonly child: DroverChild
  readonly scene: Scene
  readonly levers: Map<string, { pulled: number; missed: number }>
  readonly samples: Sample[]
  readonly heap: Heap
  readonly heapsMib: number[]
}

/** Throws when the herd does not even come up. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const { stateDirectory, seed, agents, tell } = options
  allowInspector()
  const child = await startChild({ stateDirectory })
  endOnSignal(child)
  const [random, plan] = [makeRandom(seed), planHerd(agents)]
  const scene = makeScene({ url: child.url, random, plan })
  try {
    const heap = await openHeap(child)
    const seen = { levers: new Map(), samples: [], heapsMib: [] }
    const run: Run = { options, child, scene, heap, ...seen }
    const upSeconds = await bringUp(run)
    tell(`the herd is up after ${String(upSeconds)} s`)
    await pullLevers(run)
    tell('no more levers: the herd must become whole')
    await calm(scene)
    const whole = await becomeWhole(run)
    heap.close()
    const checks = [
      ...whole.checks,
      ...flatnessOf(run.samples, run.heapsMib),
      emptyCheck('no agent ended by itself', linesOf(stateDirectory, 'an agent ended by itself')),
      emptyCheck('no change went without an answer or got a 5xx', scene.faults),
      emptyCheck('no request failed inside', linesOf(stateDirectory, 'a request failed')),
      ...(await endDrover(run)),
    ]
    return {
      ...{ ok: checks.every(({ ok }) => ok), checks, upSeconds },
      wholeSeconds: whole.seconds,
      levers: Object.fromEntries(run.levers),
      answers: Object.fromEntries(scene.answers),
      ...{ samples: run.samples, heapsMib: run.heapsMib },
    }
  } finally {
    await child.end('SIGTERM')
  }
}

const secondsSince = (startMs: number): number => Math.round((performance.now() - startMs) / 1_000)

async function bringUp({ options, scene }: Run): Promise<number> {
  const startMs = performance.now()
  const withinMs = Math.max(UP_MS_LEAST, options.agents * UP_MS_EACH)
  for (const pool of scene.plan.pools) await scene.send('PUT', `/v1/pools/${pool.name}`, pool)
  for (const { document, replicas } of scene.plan.workloads) {
    const body = { ...document, replicas: replicas.max }
    await scene.send('PUT', `/v1/workloads/${document.name}`, body)
  }
  if (scene.faults.length > 0) throw new Error(scene.faults.join('\n'))
  for (;;) {
    await sleep(LOOK_MS)
    const workloads = await scene.herd.workloads().catch(() => [])
    if (workloads.length > 0 && workloads.every(isSettled)) return secondsSince(startMs)
    if (performance.now() - startMs > withinMs)
      throw new Error(`not up within ${String(withinMs / 1_000)} s: ${countsOf(workloads)}`)
  }
}

async function pullLevers(run: Run): Promise<void> {
  const { minutes, everySeconds, stateDirectory } = run.options
  const startMs = performance.now()
  const endMs = startMs + minutes * 60_000
  const sampling = setInterval(() => {
    const sample = takeSample(stateDirectory, run.child.pid)
    if (sample !== undefined) run.samples.push(sample)
  }, SAMPLE_MS)
  const collecting = setInterval(
    () => {
      void run.heap.liveMib().then(
        (mib) => run.heapsMib.push(mib),
        () => undefined,
      )
    },
    (minutes * 60_000) / HEAPS,
  )
  const progress = setInterval(() => {
    void tellProgress(run, secondsSince(startMs))
  }, PROGRESS_MS)
  try {
    for (let nth = 1; performance.now() < endMs; nth += 1) {
      await pullOne(run, secondsSince(startMs))
      // The pace is steady: a slow answer does not put the next lever off.
      const nextMs = startMs + nth * everySeconds * 1_000
      await sleep(Math.max(0, Math.min(nextMs, endMs) - performance.now()))
    }
  } finally {
    clearInterval(sampling)
    clearInterval(collecting)
    clearInterval(progress)
  }
}

async function pullOne({ scene, levers, options }: Run, atSeconds: number): Promise<void> {
  const { name, pull } = drawLever(scene.random)
  const count = levers.get(name) ?? { pulled: 0, missed: 0 }
  levers.set(name, count)
  // What it looked at may be gone, or drover too slow to be looked at: that is a lever missed.
  const pulled = await pull(scene).catch((error: unknown) => ({
    what: describeError(error),
    status: -1,
  }))
  const didIt = pulled !== undefined && pulled.status >= 200 && pulled.status < 300
  if (didIt) count.pulled += 1
  else count.missed += 1
  const what = pulled === undefined ? 'nobody' : pulled.what
  const how = didIt ? '' : `, missed (${String(pulled?.status ?? 'none')})`
  options.trace(`${clock(atSeconds)}  ${name} ${what}${how}`)
}

async function tellProgress(run: Run, at: number): Promise<void> {
  const { options, scene, levers, samples } = run
  const [workloads, nodes] = await Promise.all([
    scene.herd.workloads().catch(() => undefined),
    scene.herd.nodes().catch(() => undefined),
  ])
  const up = nodes?.filter(({ phase }) => phase === 'ready').length
  const pulled = [...levers.values()].reduce((sum, own) => sum + own.pulled, 0)
  const last = samples.at(-1)
  const mib = (value: number | undefined): string => `${value?.toFixed(0) ?? '?'} MiB`
  options.tell(
    [
      clock(at),
      `ready ${workloads === undefined ? '?' : countsOf(workloads)}`,
      `nodes ${String(up ?? '?')}/${String(nodes?.length ?? '?')}`,
      `frozen ${String(scene.frozen.length)}`,
      `levers ${String(pulled)}`,
      `heap ${mib(run.heapsMib.at(-1))}`,
      `rss drover ${mib(last?.droverMib)}, engine ${mib(last?.engineMib)}, ` +
        `${String(last?.agents ?? '?')} agents ${mib(last?.agentsMib)}`,
      `fds ${String(last?.droverFds ?? '?')}`,
    ].join('  '),
  )
}

function countsOf(workloads: readonly Workload[]): string {
  const sum = (key: 'ready' | 'desired'): number =>
    workloads.reduce((total, { status }) => total + status[key], 0)
  return `${String(sum('ready'))}/${String(sum('desired'))}`
}

function clock(seconds: number): string {
  return `${String(Math.floor(seconds / 60))}:${String(seconds % 60).padStart(2, '0')}`.padStart(6)
}

type Whole = { readonly seconds: number; readonly checks: readonly Check[] }

/** Looks until every check holds, or time is up; answers the last look. */
async function becomeWhole(run: Run): Promise<Whole> {
  const startMs = performance.now()
  for (;;) {
    const checks = await lookForFaults(run).catch((error: unknown) => [
      emptyCheck('the herd can be looked at', [describeError(error)]),
    ])
    const seconds = secondsSince(startMs)
    if (checks.every(({ ok }) => ok) || performance.now() - startMs > WHOLE_MS)
      return { seconds, checks }
    await sleep(LOOK_WHOLE_MS)
  }
}

async function lookForFaults({ scene, options }: Run): Promise<readonly Check[]> {
  const { herd, frozen } = scene
  const workloads = await herd.workloads()
  const unsettled = workloads
    .filter((own) => !isSettled(own))
    .map(({ name, status }) => {
      const { desired, ready, updated } = status
      return `${name} wants ${String(desired)}, ready ${String(ready)}, updated ${String(updated)}`
    })
  const [nodes, instances] = [await herd.nodes(), await herd.instances()]
  const claimed = new Set(nodes.map(({ instanceId }) => instanceId))
  forgetThawed(scene, instances)
  const checks = [
    { ...emptyCheck('desired = ready', unsettled), ...wishes(workloads, unsettled) },
    emptyCheck(
      'every machine of the emulated EC2 belongs to a node',
      instances.flatMap(({ instanceId }) => (claimed.has(instanceId) ? [] : [instanceId])),
    ),
    emptyCheck(
      'every frozen machine was given up',
      frozen.map(({ instanceId }) => instanceId),
    ),
  ]
  const orphans = checks.every(({ ok }) => ok)
    ? await orphansOf(herd, options.stateDirectory)
    : ['not looked for while the herd is not whole']
  return [...checks, emptyCheck('nothing is orphaned', orphans)]
}

/**
 * Complaints in drover's log. No lever ends an agent and leaves its machine, so whoever starts one
 * again says so; a request that failed inside was answered with a 5xx.
 */
function linesOf(stateDirectory: string, text: string): readonly string[] {
  return readFileSync(join(stateDirectory, 'drover.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"text":${JSON.stringify(text)}`))
    .map((line) => line.slice(0, COMPLAINT_MAX_CHARS))
}

function wishes(workloads: readonly Workload[], faults: readonly string[]): Pick<Check, 'text'> {
  return { text: faults.length === 0 ? countsOf(workloads) : faults.join('; ') }
}

/** Ends it as a person would, and looks what is left. */
async function endDrover({ child, options }: Run): Promise<readonly Check[]> {
  const { stateDirectory } = options
  const pids = [child.pid, ...processesOf(stateDirectory).map(({ pid }) => pid)]
  const ports = new Set(pids.flatMap(listeningPortsOf))
  const startMs = performance.now()
  const late = sleep(END_MS, undefined, { ref: false })
  const ended = await Promise.race([child.end('SIGTERM'), late])
  const seconds = secondsSince(startMs)
  if (ended === undefined) await child.end('SIGKILL')
  const still = listeningPorts()
  const left = [...ports].filter((port) => still.has(port)).map(String)
  const text = `${String(ended?.code ?? ended?.signal ?? 'killed')} after ${String(seconds)} s`
  return [
    { name: 'drover ends well when it is told to', ok: ended?.code === 0, text },
    emptyCheck(
      'no process is left',
      processesOf(stateDirectory).map(({ pid, command }) => `${String(pid)} ${command}`),
    ),
    { ...emptyCheck('no port is left open', left), ...portsText(ports.size, left) },
  ]
}

function portsText(opened: number, left: readonly string[]): Pick<Check, 'text'> {
  return { text: left.length === 0 ? `all ${String(opened)} are closed` : left.join(', ') }
}
