/**
 * One wave: a pool, a replica for each of its machines, and what became of every machine it bought.
 */
import { typesByName, catalog } from '#shared/catalog/catalog.ts'
import { must } from '#shared/base/assert.ts'
import { DEFAULT_ZONES } from '#shared/catalog/zones.ts'
import { gpusOf } from '#local/emulated-gpus/gpu.ts'
import { isSettled, until, type Herd } from '#local/demo/herd.ts'
import { burnInPageSchema, eventPageSchema, type EventAnswer } from '#shared/protocol/api.ts'

export type Machine = {
  readonly node: string
  /** One of its GPUs is, for its life: the emulator's word. */
  readonly isBad: boolean
  readonly isRefused: boolean
  /** A replica was bound to it at some time: the events' word. */
  readonly carried: boolean
  readonly priceUsdPerHour: number
  readonly testSeconds: number
  readonly paidSeconds: number
}

export type Wave = { readonly n: number; readonly size: number; readonly rate: number }

const TYPES = ['g4dn.xlarge', 'g5.xlarge']
const WAVE_MS = 600_000

export async function runWave(herd: Herd, { n, size, rate }: Wave): Promise<readonly Machine[]> {
  const [pool, work] = [`wave-${String(n)}`, `work-${String(n)}`]
  await herd.send('PUT', `/v1/pools/${pool}`, {
    ...{ kind: 'Pool', name: pool, instances: { types: TYPES }, limits: { gpu: size } },
    burnIn: { checks: ['gpu-quick'], quarantineSeconds: 0 },
    repack: { when: 'never' },
  })
  await herd.send('PUT', `/v1/workloads/${work}`, {
    ...{ kind: 'Workload', name: work, replicas: size, command: ['sleep', '3600'] },
    ...{ resources: { cpu: '500m', memory: '64Mi', gpu: 1 }, placement: { pools: [pool] } },
  })
  const prices = new Map<string, number>()
  await until({ what: `wave ${String(n)} is ready`, withinMs: WAVE_MS }, async () => {
    for (const node of await herd.nodes()) prices.set(node.name, node.priceUsdPerHour)
    return (await herd.workloads()).some((own) => own.name === work && isSettled(own))
  })
  await herd.send('DELETE', `/v1/workloads/${work}`)
  await herd.send('DELETE', `/v1/pools/${pool}`)
  await until({ what: `wave ${String(n)} is gone`, withinMs: WAVE_MS }, async () => {
    return (await herd.nodes()).length === 0
  })
  return machinesOf(herd, { pool, prices, isBad: badDevices(rate) })
}

type Found = {
  readonly pool: string
  readonly prices: ReadonlyMap<string, number>
  readonly isBad: ReadonlySet<string>
}

async function machinesOf(herd: Herd, { pool, prices, isBad }: Found): Promise<Machine[]> {
  const records = await all(herd, `/v1/burn-ins?pool=${pool}`, burnInPageSchema)
  const events = await all(herd, '/v1/events', eventPageSchema)
  const nodes = new Map(records.map((own) => [own.node, own]))
  return [...nodes.values()].map(({ node, gpus, checks }) => ({
    node,
    isBad: gpus.some((uuid) => isBad.has(uuid)),
    isRefused: checks.length === 1 && checks[0]?.name === 'hardware',
    carried: events.some((own) => own.reason === 'Bound' && own.text.endsWith(` goes to ${node}`)),
    priceUsdPerHour: must(prices.get(node), `the price of ${node}`),
    testSeconds: secondsBetween(events, node, ['Testing', 'Admitted']),
    paidSeconds: secondsBetween(events, node, ['Launched', 'Gone']),
  }))
}

/** From the first of the one to the last of the other; 0 where one is missing. */
function secondsBetween(
  events: readonly EventAnswer[],
  node: string,
  [from, to]: readonly [string, string],
): number {
  const own = events.filter(({ object }) => object === `node/${node}`)
  const first = own.find(({ reason }) => reason === from)
  const last = own.findLast(({ reason }) => reason === to)
  if (first === undefined || last === undefined) return 0
  return (Date.parse(last.at) - Date.parse(first.at)) / 1000
}

/** More hosts than a place ever sells at once. */
const HOSTS = 500

/** UUIDs of all devices that the emulator makes bad. */
function badDevices(rate: number): ReadonlySet<string> {
  const types = typesByName(catalog)
  const gpus = TYPES.flatMap((instanceType) =>
    DEFAULT_ZONES.flatMap((zone) =>
      Array.from({ length: HOSTS }, (_, host) =>
        gpusOf({ instanceType, zone, host }, must(types.get(instanceType), instanceType), [
          { rate, intermittent: false },
        ]),
      ).flat(),
    ),
  )
  return new Set(gpus.filter((own) => own.badness === 1).map((own) => own.uuid))
}

type Paged<T> = { readonly items: readonly T[]; readonly next?: string | undefined }
type Schema<T> = { parse(body: unknown): Paged<T> }

async function all<T>({ url }: Herd, path: string, schema: Schema<T>): Promise<readonly T[]> {
  const items: T[] = []
  let after: string | undefined
  do {
    const page: URL = new URL(path, url)
    page.searchParams.set('limit', '500')
    if (after !== undefined) page.searchParams.set('after', after)
    const answer = schema.parse(await (await fetch(page)).json())
    items.push(...answer.items)
    after = answer.next
  } while (after !== undefined)
  return items
}
