/**
 * `npm run bench:load`: what the admin API bears, and what the loop's latency does meanwhile.
 *
 * A drover of its own is started with a small herd. First it is left in peace and only the time
 * from a PUT to its assignment is measured (`measure/warm-herd.ts`), then again while the API is
 * driven as hard as it answers. Everything runs on this machine and in one process of drover, which
 * on AWS are a Lambda a request and another for the loop: what is seen here is the worst of both.
 * Exits 1 when anything was answered with a 5xx or not at all, or never assigned.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { describeError } from '#shared/base/errors.ts'
import { makeRandom, type Random } from '#shared/base/random.ts'
import { drive, type Driven } from './load/drive.ts'
import { ROUTES, TARGET_DOCUMENTS } from './load/routes.ts'
import { quantileOf } from './measure/quantiles.ts'
import { startWarmHerd, type WarmHerd } from './measure/warm-herd.ts'

const PAUSE_MAX_MS = 500

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    connections: { type: 'string', default: '16' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})
const note = (line: string): void => void process.stderr.write(`${line}\n`)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

type RouteRow = {
  readonly route: string
  readonly requests: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers that were not 2xx, by status. */
  readonly errors: Readonly<Record<string, number>>
}
type LatencyRow = {
  readonly herd: 'quiet' | 'under load'
  readonly samples: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Why a sample failed, when one did. */
  readonly failures: readonly string[]
}
type Result = {
  readonly ok: boolean
  readonly seconds: number
  readonly connections: number
  readonly rows: readonly RouteRow[]
  readonly broken: number
  readonly timeouts: number
  readonly latency: readonly LatencyRow[]
}

async function measure(directory: string): Promise<Result> {
  const [seconds, connections] = [Number(values.seconds), Number(values.connections)]
  const random = makeRandom(Number(values.seed))
  const warm = await startWarmHerd(directory)
  try {
    for (const [name, document] of TARGET_DOCUMENTS)
      await warm.herd.send('PUT', `/v1/workloads/${name}`, document)
    await warm.rest()
    note(`quiet for ${String(seconds)} s`)
    const quiet = await sampleFor(warm, { herd: 'quiet', seconds, random })
    note(`${String(connections)} connections for ${String(seconds)} s`)
    const { url } = warm.child
    const [driven, loaded] = await Promise.all([
      drive({ url, seconds, connections, routes: ROUTES, random: makeRandom(random.word()) }),
      sampleFor(warm, { herd: 'under load', seconds, random }),
    ])
    const rows = rowsOf(driven)
    const { broken, timeouts } = driven
    const latency = [quiet, loaded]
    const ok =
      broken + timeouts === 0 &&
      rows.every(({ errors }) => !has5xx(errors)) &&
      latency.every(({ failures }) => failures.length === 0)
    return { ok, seconds, connections, rows, broken, timeouts, latency }
  } finally {
    await warm.child.end('SIGTERM')
  }
}

const has5xx = (errors: RouteRow['errors']): boolean =>
  Object.keys(errors).some((status) => Number(status) >= 500)

type Phase = {
  readonly herd: LatencyRow['herd']
  readonly seconds: number
  readonly random: Random
}

/** One sample after the other, at uneven moments, for so long. */
async function sampleFor(warm: WarmHerd, phase: Phase): Promise<LatencyRow> {
  const endMs = performance.now() + phase.seconds * 1_000
  const tookMs: number[] = []
  const failures: string[] = []
  for (let nth = 1; performance.now() < endMs; nth += 1) {
    await sleep(phase.random.next() * PAUSE_MAX_MS)
    try {
      tookMs.push(await warm.sample(`${phase.herd.replace(' ', '-')}-${String(nth)}`))
    } catch (error) {
      failures.push(describeError(error))
    }
  }
  const quantile = (share: number): number => Math.round(quantileOf(tookMs, share))
  return {
    ...{ herd: phase.herd, samples: tookMs.length, failures },
    ...{ p50Ms: quantile(0.5), p99Ms: quantile(0.99) },
  }
}

function rowsOf({ books, seconds }: Driven): readonly RouteRow[] {
  return [...books].map(([route, { tookMs, refused }]) => ({
    ...{ route, requests: tookMs.length },
    perSecond: Number((tookMs.length / seconds).toFixed(1)),
    p50Ms: Math.round(quantileOf(tookMs, 0.5)),
    p99Ms: Math.round(quantileOf(tookMs, 0.99)),
    errors: Object.fromEntries(refused),
  }))
}

function tell({ rows, broken, timeouts, latency, connections, seconds }: Result): void {
  const width = Math.max(...rows.map(({ route }) => route.length))
  say(`the admin API under ${String(connections)} connections for ${String(seconds)} s`)
  say(`${'route'.padEnd(width)} requests/s   p50 ms   p99 ms   errors`)
  for (const { route, perSecond, p50Ms, p99Ms, errors } of rows) {
    const counts = Object.entries(errors).map(([status, count]) => `${String(count)} × ${status}`)
    const numbers = [p50Ms, p99Ms].map((ms) => String(ms).padStart(9)).join('')
    const told = counts.length === 0 ? '0' : counts.join(', ')
    say(`${route.padEnd(width)} ${perSecond.toFixed(1).padStart(10)}${numbers}   ${told}`)
  }
  const sum = rows.reduce((total, { perSecond }) => total + perSecond, 0)
  say(`${'all'.padEnd(width)} ${sum.toFixed(1).padStart(10)}`)
  say(`connections that broke: ${String(broken)}, requests that timed out: ${String(timeouts)}`)
  say('')
  say('from PUT to the assignment readable by an agent')
  say('herd         samples   p50 ms   p99 ms')
  for (const { herd, samples, p50Ms, p99Ms, failures } of latency) {
    const numbers = [p50Ms, p99Ms].map((ms) => String(ms).padStart(9)).join('')
    say(`${herd.padEnd(12)} ${String(samples).padStart(7)}${numbers}`)
    for (const failure of failures) say(`  failed: ${failure}`)
  }
}

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-load-')))
try {
  const result = await measure(directory)
  if (values.json) say(JSON.stringify(result))
  else tell(result)
  process.exitCode = result.ok ? 0 : 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
