/**
 * A warm herd with room, and the time from a wish to its assignment measured on it.
 *
 * A workload is put, and the nodes' assignments are read over the table's wire, as agents read
 * them, until the replica stands in one. The debounce is in it: a wake waits a second on its queue
 * by design. What is read is the table and not the agent, whose own poll comes on top.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild, type DroverChild } from '#local/demo/child.ts'
import { isSettled, makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { ACCOUNT, clientOf, TABLES } from '#local/laptop.ts'
import { instanceArn } from '#shared/model/arn.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { keys } from '#shared/store/keys.ts'
import { endOnSignal } from './end-on-signal.ts'

export const POOL = 'warm'
const READ_EVERY_MS = 10
const GIVE_UP_MS = 20_000
/** Whatever the last sample set off has ended by then. */
const QUIET_MS = 2_500

export type WarmHerd = {
  readonly child: DroverChild
  readonly herd: Herd
  /** Puts a workload of one replica; answers how long it took until it was assigned. */
  sample(name: string): Promise<number>
  /** Waits until all is ready and nothing more is under way. */
  rest(): Promise<void>
}

export type WorkloadWish = {
  readonly name: string
  readonly cpu: string
  readonly replicas?: number
}

/** The document of a workload that does nothing, in the pool that is warm. */
export function idleWorkload({ name, cpu, replicas = 1 }: WorkloadWish): object {
  return {
    ...{ kind: 'Workload', name, replicas },
    command: ['sleep', '100000'],
    resources: { cpu, memory: '16Mi' },
    placement: { pools: [POOL] },
  }
}

/** Starts a drover of its own in the directory; whoever asked ends its child. */
export async function startWarmHerd(stateDirectory: string): Promise<WarmHerd> {
  const child = await startChild({ stateDirectory })
  endOnSignal(child)
  try {
    const herd = makeHerd(child.url)
    const read = readerOf(stateDirectory, await warmUp(herd))
    return {
      child,
      herd,
      sample: (name) => sample(herd, read, name),
      rest: async () => {
        await allReady(herd)
        await sleep(QUIET_MS)
      },
    }
  } catch (error) {
    await child.end('SIGTERM')
    throw error
  }
}

function allReady(herd: Herd): Promise<true> {
  return until({ what: 'all is ready', withinMs: 60_000 }, async () =>
    (await herd.workloads()).every(isSettled),
  )
}

/** Buys machines with room to spare that stay when they are empty; answers their ids. */
async function warmUp(herd: Herd): Promise<readonly string[]> {
  await herd.send('PUT', `/v1/pools/${POOL}`, {
    ...{ kind: 'Pool', name: POOL },
    instances: { families: ['m7a', 'c7a'], minVcpu: 8, maxVcpu: 8 },
    repack: { when: 'never' },
  })
  const ballast = idleWorkload({ name: 'ballast', cpu: '5', replicas: 2 })
  await herd.send('PUT', '/v1/workloads/ballast', ballast)
  await allReady(herd)
  await herd.send('POST', '/v1/workloads/ballast/scale', { replicas: 0 })
  await until({ what: 'there is room', withinMs: 60_000 }, async () =>
    (await herd.nodes()).every((node) => node.phase === 'ready' && node.replicas.length === 0),
  )
  return (await herd.nodes()).flatMap(({ instanceId }) => instanceId ?? [])
}

/** The assignments of these machines, as text. */
type Read = () => Promise<string>

function readerOf(stateDirectory: string, instanceIds: readonly string[]): Read {
  const text = readFileSync(join(stateDirectory, 'ports.json'), 'utf8')
  const { table } = JSON.parse(text) as { table: number }
  const client = clientOf(`http://127.0.0.1:${String(table)}`)
  const store = makeDynamoStore({ client, tableName: TABLES.main })
  const { region } = client
  const assignments = instanceIds.map((instanceId) =>
    keys.assignment(instanceArn({ region, account: ACCOUNT, instanceId })),
  )
  return async () => JSON.stringify(await store.getMany(assignments))
}

/** As long as a sample may take, for under load an answer may be slow as well. */
async function put(url: string, document: object): Promise<void> {
  const response = await fetch(url, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(document),
    signal: AbortSignal.timeout(GIVE_UP_MS),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`PUT ${url}: ${String(response.status)} ${text.slice(0, 300)}`)
}

async function sample(herd: Herd, read: Read, name: string): Promise<number> {
  const startMs = performance.now()
  await put(`${herd.url}/v1/workloads/${name}`, idleWorkload({ name, cpu: '50m' }))
  while (performance.now() - startMs < GIVE_UP_MS) {
    if ((await read()).includes(`"${name}/`)) return performance.now() - startMs
    await sleep(READ_EVERY_MS)
  }
  throw new Error(`${name} was not assigned within ${String(GIVE_UP_MS / 1000)} s`)
}
