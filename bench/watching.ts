/**
 * `npm run bench:watching`: what an agent's watching costs a machine in service, as a share of one
 * core.
 *
 * The real watch looks and the real step takes in what it saw, on a node with ten replicas, round
 * after round without a pause; what a round takes is then counted as once a look. `tools` is the
 * time of the processes that it starts. Without `--smi DIRECTORY` that is the emulated nvidia-smi,
 * most of whose time is the start of a Node: what the real one takes has to be measured where there
 * is one. A slow tool is asked less often, and its share is counted with the pause that it earns.
 */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { devNull, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { readGpus } from '#agent/adapters/checks/gpu.ts'
import { openWatch, type WatchOptions } from '#agent/adapters/health/watch.ts'
import { initialState, type AgentState } from '#agent/state.ts'
import { step } from '#agent/step.ts'
import { must } from '#shared/base/assert.ts'
import { silentLogger } from '#shared/base/log.ts'
import { catalog, typesByName } from '#shared/catalog/catalog.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { GPUS_VARIABLE, gpusOf } from '#local/emulated-gpus/gpu.ts'
import { assignment, SETTINGS } from '#test/agent/story.ts'
import { childrenCpuMsNow, cpuMsNow } from './measure/processor.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '2000' },
    'gpu-rounds': { type: 'string', default: '40' },
    smi: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const TARGET = 0.005
const REPLICAS = 10
const GPU_TYPE = 'p5.48xlarge'
const EMULATED = join(import.meta.dirname, '..', 'local', 'emulated-gpus', 'bin')

type Row = {
  readonly case: string
  readonly rounds: number
  readonly agentMs: number
  readonly toolsMs: number
  /** How often it looks, seconds. */
  readonly everySeconds: number
  /** Of one core. */
  readonly share: number
}

type Case = {
  readonly name: string
  readonly rounds: number
  /** Lines that the kernel writes between two looks. */
  readonly lines: number
  readonly options: WatchOptions
}

const ORDINARY =
  '6,1,1,-;eth0: renamed from veth1a2b3c4, and some more words, as kernels have them\n'

async function measure({ name, rounds, lines, options }: Case): Promise<Row> {
  const isAboutGpus = options.gpus.length > 0
  let look = openWatch(options)
  let state = agentWithReplicas()
  let [agentMs, toolsMs, tookMs] = [0, 0, 0]
  for (let round = -Math.ceil(rounds / 10); round < rounds; round += 1) {
    if (lines > 0) appendFileSync(options.kernelLog, ORDINARY.repeat(lines))
    // The pause that a tool earns is counted, and not waited for.
    if (isAboutGpus) look = openWatch(options)
    const [cpu, children, startMs] = [cpuMsNow(), childrenCpuMsNow(), performance.now()]
    const looks = await look()
    state = step(state, { kind: 'looked', looks, nowMs: round * LIMITS.healthLookMs }).state
    if (round < 0) continue
    agentMs += cpuMsNow() - cpu
    toolsMs += childrenCpuMsNow() - children
    tookMs += performance.now() - startMs
  }
  const pauseMs = isAboutGpus ? tookMs / rounds / LIMITS.healthToolShare : 0
  const everyMs = Math.max(LIMITS.healthLookMs, Math.min(pauseMs, LIMITS.healthToolPauseMaxMs))
  const share = (agentMs + toolsMs) / rounds / everyMs
  const each = { agentMs: agentMs / rounds, toolsMs: toolsMs / rounds }
  return { case: name, rounds, ...each, everySeconds: everyMs / 1000, share }
}

function agentWithReplicas(): AgentState {
  const replicas = Array.from({ length: REPLICAS }, (_, i) => ({ id: `web/1-${String(i)}` }))
  const events = [
    { kind: 'booted', adopted: [] },
    { kind: 'assignment-read', assignment: assignment(1, replicas) },
  ] as const
  return events.reduce(
    (state, event) => step(state, { ...event, nowMs: 0 }).state,
    initialState(SETTINGS),
  )
}

async function casesIn(directory: string): Promise<readonly Case[]> {
  const kernelLog = join(directory, 'kernel.log')
  writeFileSync(kernelLog, '')
  const options: WatchOptions = {
    ...{ kernelLog, directory, diskFullPercent: 100, gpus: [] },
    takeClockOffsetMs: () => 100,
    log: silentLogger,
  }
  const rounds = Number(values.rounds)
  useGpuTools()
  const gpus = await readGpus()
  return [
    { name: 'quiet', rounds, lines: 0, options },
    { name: '100 kernel lines a look', rounds, lines: 100, options },
    { name: '10,000 kernel lines a look', rounds: Math.ceil(rounds / 40), lines: 10_000, options },
    ...(gpus.length === 0
      ? []
      : [
          {
            name: `${String(gpus.length)} GPUs, ${values.smi === undefined ? 'emulated' : 'asked'}`,
            ...{ rounds: Number(values['gpu-rounds']), lines: 0 },
            options: { ...options, gpus, kernelLog: devNull },
          },
        ]),
  ]
}

/** The tool that is asked, and what the emulated one is to tell. */
function useGpuTools(): void {
  const type = must(typesByName(catalog).get(GPU_TYPE), GPU_TYPE)
  const gpus = gpusOf({ instanceType: GPU_TYPE, zone: 'us-east-1a', host: 0 }, type, [])
  process.env[GPUS_VARIABLE] = JSON.stringify(gpus)
  const tools = [values.smi ?? EMULATED, dirname(process.execPath), process.env['PATH'] ?? '']
  process.env['PATH'] = tools.join(delimiter)
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const COLUMNS: readonly (readonly [title: string, width: number, of: (row: Row) => string])[] = [
  ['case', 27, (row) => row.case],
  ['rounds', 7, (row) => String(row.rounds)],
  ['agent ms', 9, (row) => row.agentMs.toFixed(2)],
  ['tools ms', 9, (row) => row.toolsMs.toFixed(1)],
  ['every', 7, (row) => `${row.everySeconds.toFixed(0)} s`],
  ['of a core', 10, (row) => `${(row.share * 100).toFixed(4)} %`],
]

async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'drover-watching-'))
  const rows: Row[] = []
  try {
    if (!values.json) say(COLUMNS.map(([title, width]) => title.padStart(width)).join(' '))
    for (const one of await casesIn(directory)) {
      const row = await measure(one)
      rows.push(row)
      if (!values.json) say(COLUMNS.map(([, width, of]) => of(row).padStart(width)).join(' '))
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  if (values.json) say(JSON.stringify({ rows }))
  if (rows.some((row) => row.share >= TARGET)) process.exitCode = 1
}

await run()
