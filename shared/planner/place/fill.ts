/**
 * How many replicas one machine takes, of those that are to go there: by its room, by the rules of
 * topology, and by what a spot storm may take at once.
 */
import { rulesBy, type Demand } from '../demand.ts'
import { exposureOf, type Board } from './board.ts'
import { afterTaking, deviceFit } from './devices.ts'
import { isZoned, nodeRoom, zoneRoom } from './topology.ts'

/** A demand while places are sought for it. */
export type Want = {
  readonly demand: Demand
  /** Asks for no GPU, so that it is bought a machine without, and keeps off those that are idle. */
  readonly shunsGpus: boolean
  /** Zones in which it can be had at all; none where its rules do not ask. */
  readonly zones: readonly string[]
  /** The key of its template in an assignment. */
  readonly key: string
  /** Keys of its rules of anti-affinity, and of those that spread it over zones. */
  readonly shuns: readonly string[]
  readonly spreads: readonly string[]
  left: number
}

/** A machine seen as room to fill: an offer, or a node that stands empty. */
export type Bin = {
  /** Undefined for a machine still to buy. */
  readonly node?: string
  readonly zones: readonly string[]
  /** `<instance type>/<zone>`: wherever of these it comes up, the content must be safe there. */
  readonly places: readonly string[]
  readonly capacityType: 'spot' | 'on-demand'
  readonly cpuMilli: number
  readonly memoryMib: number
  readonly diskMib: number
  readonly devices: readonly number[]
  /** How many replicas it may still take. */
  readonly replicas: number
  readonly templates: ReadonlySet<string>
  readonly templateRoomBytes: number
}

export type Content = { readonly want: Want; readonly count: number }

/** Replicas of a want, of which so many are to go into the bin. */
export type Asked = { readonly want: Want; readonly most: number }

/** Fills the bin with what is asked for, in that order, as far as there is room. */
export function fill(board: Board, bin: Bin, asked: readonly Asked[]): readonly Content[] {
  const contents: Content[] = []
  const usedRules = new Set<string>()
  const spread = new Map<string, number>()
  let { cpuMilli, memoryMib, diskMib, devices, replicas, templateRoomBytes } = bin
  for (const { want, most } of asked) {
    const { need } = want.demand
    if (want.left === 0 || need.cpuMilli > cpuMilli || need.memoryMib > memoryMib) continue
    if (want.shuns.some((rule) => usedRules.has(rule))) continue
    const isNew = !bin.templates.has(want.key)
    if (isNew && want.demand.templateBytes > templateRoomBytes) continue
    const count = Math.min(
      most,
      want.left,
      need.cpuMilli === 0 ? Infinity : Math.floor(cpuMilli / need.cpuMilli),
      need.memoryMib === 0 ? Infinity : Math.floor(memoryMib / need.memoryMib),
      need.diskMib === 0 ? Infinity : Math.floor(diskMib / need.diskMib),
      deviceFit(devices, need.gpuMilli),
      roomByRules(board, bin, want) - alreadySpread(want, spread),
      replicas,
    )
    if (count <= 0) continue
    contents.push({ want, count })
    cpuMilli -= count * need.cpuMilli
    memoryMib -= count * need.memoryMib
    diskMib -= count * need.diskMib
    devices = afterTaking(devices, { needMilli: need.gpuMilli, count })
    replicas -= count
    if (isNew) templateRoomBytes -= want.demand.templateBytes
    for (const rule of want.shuns) usedRules.add(rule)
    for (const key of want.spreads) spread.set(key, (spread.get(key) ?? 0) + count)
  }
  return contents
}

/** What this very filling has put there for the same spread: the board does not know of it yet. */
function alreadySpread({ spreads }: Want, spread: ReadonlyMap<string, number>): number {
  return spreads.reduce((most, key) => Math.max(most, spread.get(key) ?? 0), 0)
}

/** How many replicas of the want topology and spot storms allow in the bin. */
export function roomByRules(board: Board, bin: Bin, want: Want): number {
  const { demand } = want
  const zone = bin.zones.length === 1 ? bin.zones[0] : undefined
  if (isZoned(demand) && zone === undefined) return 0
  const inZone =
    zone === undefined ? Infinity : zoneRoom(board, demand, { zone, zones: want.zones })
  const onNode =
    bin.node === undefined ? onNewNode(board, demand) : nodeRoom(board, demand, bin.node)
  return Math.min(inZone, onNode, stormRoom(board, bin, demand))
}

/** On a machine that does not exist yet, anti-affinity allows one, affinity only a fresh start. */
function onNewNode(board: Board, demand: Demand): number {
  const rules = rulesBy(demand.target.workload, 'node')
  if (
    rules.some((rule) => rule.kind === 'affinity' && (board.topology.get(rule.key)?.size ?? 0) > 0)
  ) {
    return 0
  }
  return rules.some((rule) => rule.kind === 'antiAffinity') ? 1 : Infinity
}

/** How many more one spot storm may take with this bin, wherever of its places it comes up. */
export function stormRoom(
  board: Board,
  bin: Pick<Bin, 'capacityType' | 'places'>,
  demand: Demand,
): number {
  if (bin.capacityType !== 'spot' || demand.spotPoolCap === Infinity) return Infinity
  const { uid } = demand.target.workload
  let most = 0
  for (const place of bin.places) most = Math.max(most, exposureOf(board, uid, place))
  return demand.spotPoolCap - most
}
