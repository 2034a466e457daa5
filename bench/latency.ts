/**
 * `npm run bench:latency`: how long a wish takes to become something an agent can read.
 *
 * On a warm herd with room, workloads are put one after the other at uneven moments, and each is
 * timed until it is assigned (`measure/warm-herd.ts`). A quiet herd pays the debounce's second in
 * full; in a busy one, where the last replica is just starting, its news may have a pass on the way
 * already.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { makeRandom } from '#shared/base/random.ts'
import { quantileOf } from './measure/quantiles.ts'
import { startWarmHerd } from './measure/warm-herd.ts'

const BAR_MS = 2_000

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})
const note = (line: string): void => void process.stderr.write(`${line}\n`)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

type Case = 'quiet' | 'busy'
const CASES: readonly Case[] = ['quiet', 'busy']

async function measure(directory: string): Promise<ReadonlyMap<Case, readonly number[]>> {
  const warm = await startWarmHerd(directory)
  try {
    const random = makeRandom(Number(values.seed))
    const found = new Map<Case, number[]>()
    for (const own of CASES) {
      const tookMs: number[] = []
      for (let n = 1; n <= Number(values.samples); n += 1) {
        if (own === 'quiet') await warm.rest()
        await sleep(random.next() * 1_000)
        tookMs.push(await warm.sample(`${own}-${String(n)}`))
        if (n % 10 === 0) note(`${own}: ${String(n)} of ${values.samples}`)
      }
      found.set(own, tookMs)
    }
    return found
  } finally {
    await warm.child.end('SIGTERM')
  }
}

type Row = {
  readonly case: Case
  readonly samples: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
}

function rowOf(own: Case, tookMs: readonly number[]): Row {
  const quantile = (share: number): number => Math.round(quantileOf(tookMs, share))
  const [p50Ms, p90Ms, p99Ms] = [quantile(0.5), quantile(0.9), quantile(0.99)]
  return { case: own, samples: tookMs.length, p50Ms, p90Ms, p99Ms }
}

function tell(rows: readonly Row[]): void {
  say('from PUT to the assignment readable by an agent')
  say('herd   samples   p50 ms   p90 ms   p99 ms')
  for (const { case: own, samples, p50Ms, p90Ms, p99Ms } of rows) {
    const numbers = [p50Ms, p90Ms, p99Ms].map((ms) => String(ms).padStart(9)).join('')
    say(`${own.padEnd(6)} ${String(samples).padStart(7)}${numbers}`)
  }
  const isGood = rows.every(({ p99Ms }) => p99Ms < BAR_MS)
  say(`p99 is ${isGood ? '' : 'not '}under ${String(BAR_MS)} ms`)
}

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-latency-')))
try {
  const rows = [...(await measure(directory))].map(([own, tookMs]) => rowOf(own, tookMs))
  if (values.json) say(JSON.stringify({ barMs: BAR_MS, rows }))
  else tell(rows)
  process.exitCode = rows.every(({ p99Ms }) => p99Ms < BAR_MS) ? 0 : 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
