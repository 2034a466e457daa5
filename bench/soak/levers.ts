/**
 * The levers that a soak pulls: what EC2, bad luck and people do to a herd.
 *
 * Each looks for something it can be done to, does it, and says so. Which lever and whom it hits
 * come from the seed, as far as a real machine lets anything be decided. What would not heal by
 * itself is kept within bounds (frozen machines, cordons, shortages) and taken back at the end.
 */
import type { LiveInstance } from '#local/demo/herd.ts'
import type { Random } from '#shared/base/random.ts'
import { drawCount, rolled } from './documents.ts'
import type { Place, Scene } from './scene.ts'

/** What was done, and the status it was answered with; undefined when there was nobody for it. */
export type Pulled = { readonly what: string; readonly status: number } | undefined
type Pull = (scene: Scene) => Promise<Pulled>
export type Lever = { readonly name: string; readonly weight: number; readonly pull: Pull }

/** More frozen at once would look like an outage of drover's own, and nobody would be given up. */
const FROZEN_SHARE_MAX = 0.12
const CORDONED_MAX = 3
const SHORT_MAX = 6
const PLENTY = 200
const DONE = 200

export const LEVERS: readonly Lever[] = [
  { name: 'interrupt', weight: 5, pull: interrupt },
  { name: 'kill', weight: 4, pull: (scene) => strike(scene, 'kill') },
  { name: 'hang', weight: 2, pull: hang },
  { name: 'thaw', weight: 1, pull: thaw },
  { name: 'impair', weight: 1, pull: impair },
  { name: 'rebalance', weight: 2, pull: (scene) => strike(scene, 'rebalance') },
  { name: 'scale', weight: 6, pull: scale },
  { name: 'roll', weight: 2, pull: roll },
  { name: 'cordon', weight: 2, pull: cordon },
  { name: 'uncordon', weight: 2, pull: uncordon },
  { name: 'shortage', weight: 2, pull: shortage },
  { name: 'plenty', weight: 2, pull: plenty },
]

export function drawLever(random: Random): Lever {
  const sum = LEVERS.reduce((total, { weight }) => total + weight, 0)
  let left = random.next() * sum
  for (const lever of LEVERS) {
    left -= lever.weight
    if (left < 0) return lever
  }
  throw new Error('no lever was drawn')
}

function pick<T>(random: Random, items: readonly T[]): T | undefined {
  return items[random.int(0, Math.max(0, items.length - 1))]
}

/** Those that run and whose agent is not frozen. */
async function liveInstances({ herd, frozen }: Scene): Promise<readonly LiveInstance[]> {
  const isFrozen = new Set(frozen.map(({ instanceId }) => instanceId))
  return (await herd.instances()).filter(
    ({ state, instanceId }) => state === 'running' && !isFrozen.has(instanceId),
  )
}

type Verb = 'interrupt' | 'kill' | 'hang' | 'impair' | 'rebalance'

async function strike(scene: Scene, verb: Verb, own?: LiveInstance): Promise<Pulled> {
  const instance = own ?? pick(scene.random, await liveInstances(scene))
  if (instance === undefined) return undefined
  const { instanceId } = instance
  const status = await scene.send('POST', `/local/instances/${instanceId}/${verb}`)
  return { what: instanceId, status }
}

async function interrupt(scene: Scene): Promise<Pulled> {
  const noticeSeconds = scene.random.int(5, 45)
  const spot = (await liveInstances(scene)).filter(({ capacityType }) => capacityType === 'spot')
  const instance = pick(scene.random, spot)
  if (instance === undefined) return undefined
  const path = `/local/instances/${instance.instanceId}/interrupt`
  const status = await scene.send('POST', path, { noticeSeconds })
  return { what: `${instance.instanceId} in ${String(noticeSeconds)} s`, status }
}

async function hang(scene: Scene): Promise<Pulled> {
  const { random, frozen } = scene
  const instances = await scene.herd.instances()
  forgetThawed(scene, instances)
  const most = Math.max(1, Math.floor(instances.length * FROZEN_SHARE_MAX))
  if (frozen.length >= most) return thaw(scene)
  const instance = pick(random, await liveInstances(scene))
  if (instance?.agentPid === undefined) return undefined
  const pulled = await strike(scene, 'hang', instance)
  if (pulled !== undefined && pulled.status < 300)
    frozen.push({ instanceId: instance.instanceId, pid: instance.agentPid })
  return pulled
}

/** Machines that are gone are frozen no more. */
export function forgetThawed({ frozen }: Scene, instances: readonly LiveInstance[]): void {
  const pids = new Map(instances.map(({ instanceId, agentPid }) => [instanceId, agentPid]))
  const left = frozen.filter(({ instanceId, pid }) => pids.get(instanceId) === pid)
  frozen.splice(0, frozen.length, ...left)
}

/** The machine frozen longest goes on as if nothing had been. */
async function thaw(scene: Scene): Promise<Pulled> {
  forgetThawed(scene, await scene.herd.instances())
  const own = scene.frozen.shift()
  if (own === undefined) return undefined
  try {
    process.kill(own.pid, 'SIGCONT')
    return { what: own.instanceId, status: DONE }
  } catch {
    return undefined
  }
}

/** EC2 calls it impaired, and it falls silent, as one with a broken network does. */
async function impair(scene: Scene): Promise<Pulled> {
  const before = scene.frozen.length
  const hung = await hang(scene)
  const own = scene.frozen.at(-1)
  if (own === undefined || scene.frozen.length === before) return hung
  const status = await scene.send('POST', `/local/instances/${own.instanceId}/impair`)
  return { what: own.instanceId, status }
}

async function scale(scene: Scene): Promise<Pulled> {
  const { random, plan } = scene
  const wish = pick(random, plan.workloads)
  if (wish === undefined) return undefined
  const { name } = wish.document
  const replicas = drawCount(wish.replicas, random)
  const status = await scene.send('POST', `/v1/workloads/${name}/scale`, { replicas })
  return { what: `${name} to ${String(replicas)}`, status }
}

async function roll(scene: Scene): Promise<Pulled> {
  const { random, plan, rounds } = scene
  const wish = pick(random, plan.workloads)
  if (wish === undefined) return undefined
  const { name } = wish.document
  const round = (rounds.get(name) ?? 0) + 1
  rounds.set(name, round)
  const status = await scene.send('PUT', `/v1/workloads/${name}`, rolled(wish.document, round))
  return { what: `${name}, round ${String(round)}`, status }
}

async function cordon(scene: Scene): Promise<Pulled> {
  const { random, cordoned, herd } = scene
  if (cordoned.length >= CORDONED_MAX) return uncordon(scene)
  const ready = (await herd.nodes()).filter((node) => node.phase === 'ready' && !node.cordoned)
  const node = pick(random, ready)
  if (node === undefined) return undefined
  const status = await scene.send('POST', `/v1/nodes/${node.name}/cordon`)
  if (status < 300) cordoned.push(node.name)
  return { what: node.name, status }
}

async function uncordon(scene: Scene): Promise<Pulled> {
  const name = scene.cordoned.shift()
  if (name === undefined) return undefined
  const status = await scene.send('POST', `/v1/nodes/${name}/uncordon`)
  return { what: name, status }
}

async function shortage(scene: Scene): Promise<Pulled> {
  const { random, short } = scene
  if (short.length >= SHORT_MAX) return plenty(scene)
  const instance = pick(random, await liveInstances(scene))
  if (instance === undefined) return undefined
  const { instanceType, zone, capacityType } = instance
  const place = { instanceType, zone, capacityType }
  const status = await scene.send('POST', '/local/market', { ...place, capacity: 0 })
  if (status < 300) short.push(place)
  return { what: textOf(place), status }
}

async function plenty(scene: Scene): Promise<Pulled> {
  const place = scene.short.shift()
  if (place === undefined) return undefined
  const status = await scene.send('POST', '/local/market', { ...place, capacity: PLENTY })
  return { what: textOf(place), status }
}

const textOf = ({ instanceType, zone, capacityType }: Place): string =>
  `${instanceType} ${zone} ${capacityType}`

/**
 * Takes back what would not heal by itself. Frozen machines stay as they are, for drover must find
 * them; its brakes are let go, as whoever runs it would once the bad weather is over.
 */
export async function calm(scene: Scene): Promise<void> {
  while (scene.cordoned.length > 0) await uncordon(scene)
  while (scene.short.length > 0) await plenty(scene)
  for (const { name } of scene.plan.pools)
    await scene.send('POST', `/v1/pools/${name}/release-brake`)
}
