/**
 * `npm run bench:latency`: how long a wish takes to become something an agent can read.
 *
 * On a warm herd with room, workloads are put one after the other at uneven moments, and the nodes'
 * assignments are read over the table's wire, as agents read them, until the replica stands in one.
 * The debounce is in it: a wake waits a second on its queue by design. A quiet herd pays that
 * second in full; in a busy one, where the last replica is just starting, its news may have a pass
 * on the way already. What is read is the table and not the agent, whose own poll comes on top.
 */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startChild } from '#local/demo/child.ts'
import { isSettled, makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { ACCOUNT, clientOf, TABLES } from '#local/laptop.ts'
import { instanceArn } from '#shared/model/arn.ts'
import { makeRandom } from '#shared/base/random.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { keys } from '#shared/store/keys.ts'
import type { Store } from '#shared/store/store.ts'

const BAR_MS = 2_000
const READ_EVERY_MS = 10
const GIVE_UP_MS = 20_000

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})
const note = (line: string): void => void process.stderr.write(`${line}\n`)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

type Spec = Readonly<Record<string, unknown>>
const workload = (name: string, cpu: string, replicas = 1): Spec => ({
  ...{ kind: 'Workload', name, replicas },
  command: ['sleep', '100000'],
  resources: { cpu, memory: '16Mi' },
  placement: { pools: ['warm'] },
})

/** A machine with room to spare that stays when it is empty. */
async function warmUp(herd: Herd): Promise<readonly string[]> {
  await herd.send('PUT', '/v1/pools/warm', {
    ...{ kind: 'Pool', name: 'warm' },
    instances: { families: ['m7a', 'c7a'], minVcpu: 8, maxVcpu: 8 },
    repack: { when: 'never' },
  })
  await herd.send('PUT', '/v1/workloads/ballast', workload('ballast', '5', 2))
  await until({ what: 'the herd is warm', withinMs: 60_000 }, async () =>
    (await herd.workloads()).every(isSettled),
  )
  await herd.send('POST', '/v1/workloads/ballast/scale', { replicas: 0 })
  await until({ what: 'there is room', withinMs: 60_000 }, async () =>
    (await herd.nodes()).every((node) => node.phase === 'ready' && node.replicas.length === 0),
  )
  return (await herd.nodes()).flatMap(({ instanceId }) => instanceId ?? [])
}

async function sample(herd: Herd, store: Store, look: Look): Promise<number> {
  const startMs = performance.now()
  await herd.send('PUT', `/v1/workloads/${look.name}`, workload(look.name, '50m'))
  while (performance.now() - startMs < GIVE_UP_MS) {
    const found = await store.getMany(look.arns.map((arn) => keys.assignment(arn)))
    if (found.some((item) => JSON.stringify(item).includes(`"${look.name}/`)))
      return performance.now() - startMs
    await sleep(READ_EVERY_MS)
  }
  throw new Error(`${look.name} was not assigned within ${String(GIVE_UP_MS / 1000)} s`)
}
type Look = { readonly name: string; readonly arns: readonly string[] }

type Case = 'quiet' | 'busy'
const CASES: readonly Case[] = ['quiet', 'busy']
/** Whatever the last sample set off has ended by then. */
const QUIET_MS = 2_500

async function measure(directory: string): Promise<ReadonlyMap<Case, readonly number[]>> {
  const child = await startChild({ stateDirectory: directory })
  try {
    const herd = makeHerd(child.url)
    const path = join(directory, 'ports.json')
    const ports = JSON.parse(readFileSync(path, 'utf8')) as { table: number }
    const client = clientOf(`http://127.0.0.1:${String(ports.table)}`)
    const store = makeDynamoStore({ client, tableName: TABLES.main })
    const { region } = client
    const arns = (await warmUp(herd)).map((instanceId) =>
      instanceArn({ region, account: ACCOUNT, instanceId }),
    )
    const random = makeRandom(Number(values.seed))
    const found = new Map<Case, number[]>()
    for (const own of CASES) {
      const tookMs: number[] = []
      for (let n = 1; n <= Number(values.samples); n += 1) {
        if (own === 'quiet') await settle(herd)
        await sleep(random.next() * 1_000)
        tookMs.push(await sample(herd, store, { name: `${own}-${String(n)}`, arns }))
        if (n % 10 === 0) note(`${own}: ${String(n)} of ${values.samples}`)
      }
      found.set(own, tookMs)
    }
    return found
  } finally {
    await child.end('SIGTERM')
  }
}

async function settle(herd: Herd): Promise<void> {
  await until({ what: 'all is ready', withinMs: 30_000 }, async () =>
    (await herd.workloads()).every(isSettled),
  )
  await sleep(QUIET_MS)
}

type Row = {
  readonly case: Case
  readonly samples: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
}

function rowOf(own: Case, tookMs: readonly number[]): Row {
  const sorted = [...tookMs].sort((a, b) => a - b)
  const quantile = (share: number): number =>
    Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN)
  const [p50Ms, p90Ms, p99Ms] = [quantile(0.5), quantile(0.9), quantile(0.99)]
  return { case: own, samples: sorted.length, p50Ms, p90Ms, p99Ms }
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
