/**
 * What to put on one machine: the replicas that are worth most for the room they take.
 *
 * A replica's worth is its reservation price, the cheapest machine that would hold it alone; a
 * machine is worth buying when the replicas on it are worth much more than it costs. Filling by
 * worth a share of the machine, and choosing the machine by worth a dollar, is what keeps the herd
 * near the proven bound where first-fit-decreasing, which ignores prices, pays up to twice as much.
 *
 * Source: Eva's reservation prices (EuroSys '25); figures in `README.md`.
 */
import { byKey, byText, descending, inOrder } from '../base/order.ts'
import { exposureOf, type Board } from './board.ts'
import type { Resources } from '../model/quantities.ts'
import { byRight, rulesBy, type Demand } from './demand.ts'
import { deviceFit, takeDevices, withoutShares } from './devices.ts'
import { isZoned, nodeRoom, zoneRoom } from './topology.ts'

/** A demand while places are sought for it. */
export type Want = {
  readonly demand: Demand
  /** USD an hour of the cheapest machine that would hold one replica alone. */
  readonly worth: number
  /** Asks for no GPU and need not take a machine that has some. */
  readonly shunsGpus: boolean
  /** On-demand machines may be bought for it: not while spot will do. */
  readonly buysOnDemand: boolean
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
  /** What it was bought as; by shares of this is judged what is worth most there. */
  readonly shape: Resources
  readonly cpuMilli: number
  readonly memoryMib: number
  readonly devices: readonly number[]
  /** How many replicas it may still take. */
  readonly replicas: number
  readonly templates: ReadonlySet<string>
  readonly templateRoomBytes: number
}

export type Content = { readonly want: Want; readonly count: number }

/**
 * The replicas to put into the bin, of those wants that suit it, tried in the order in which they
 * come (`orderFor`).
 */
export function fill(board: Board, bin: Bin, wants: readonly Want[]): readonly Content[] {
  const contents: Content[] = []
  const usedRules = new Set<string>()
  const spread = new Map<string, number>()
  let { cpuMilli, memoryMib, devices, replicas, templateRoomBytes } = bin
  for (const want of wants) {
    const { need } = want.demand
    if (want.left === 0 || need.cpuMilli > cpuMilli || need.memoryMib > memoryMib) continue
    if (want.shuns.some((rule) => usedRules.has(rule))) continue
    const isNew = !bin.templates.has(want.key)
    if (isNew && want.demand.templateBytes > templateRoomBytes) continue
    const count = Math.min(
      want.left,
      need.cpuMilli === 0 ? Infinity : Math.floor(cpuMilli / need.cpuMilli),
      need.memoryMib === 0 ? Infinity : Math.floor(memoryMib / need.memoryMib),
      deviceFit(devices, need.gpuMilli),
      roomByRules(board, bin, want) - alreadySpread(want, spread),
      replicas,
    )
    if (count <= 0) continue
    contents.push({ want, count })
    cpuMilli -= count * need.cpuMilli
    memoryMib -= count * need.memoryMib
    devices = afterTaking(devices, need.gpuMilli, count)
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

type Machine = Pick<Bin, 'shape' | 'capacityType'>

/** The wants in the order in which such a machine is filled: most worth for the room first. */
export function orderFor(machine: Machine, wants: readonly Want[]): readonly Want[] {
  const density = densityOn(machine)
  const known = new Map(wants.map((want) => [want, density(want)]))
  return wants.toSorted(
    inOrder(
      (a: Want, b: Want) => byRight(a.demand, b.demand),
      // Room on on-demand machines goes to those who can have no other, then to whom they are sold.
      byKey((want) => (machine.capacityType === 'on-demand' ? rankOnDemand(want) : 0)),
      descending(byKey((want) => known.get(want) ?? 0)),
      (a, b) => byText(a.demand.target.workload.name, b.demand.target.workload.name),
      byKey((want) => want.demand.capacity),
    ),
  )
}

/** What a replica is worth for its share of the machine. */
function densityOn({ shape }: Machine): (want: Want) => number {
  return (want) => {
    const { need } = want.demand
    const share = Math.max(
      need.cpuMilli / Math.max(1, shape.cpuMilli),
      need.memoryMib / Math.max(1, shape.memoryMib),
      need.gpuMilli / Math.max(1, shape.gpuMilli),
    )
    return want.worth / Math.max(share, 1e-9)
  }
}

function rankOnDemand({ demand, buysOnDemand }: Want): number {
  const mayUseSpot = demand.capacity !== 'on-demand' && demand.spotPoolCap > 0
  if (!mayUseSpot) return 0
  return buysOnDemand ? 1 : 2
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
function stormRoom(board: Board, bin: Bin, demand: Demand): number {
  if (bin.capacityType !== 'spot' || demand.spotPoolCap === Infinity) return Infinity
  const { uid } = demand.target.workload
  let most = 0
  for (const place of bin.places) most = Math.max(most, exposureOf(board, uid, place))
  return demand.spotPoolCap - most
}

function afterTaking(
  devices: readonly number[],
  needMilli: number,
  count: number,
): readonly number[] {
  let left = devices
  for (let i = 0; i < count && needMilli > 0; i += 1) {
    left = withoutShares(left, takeDevices(left, needMilli) ?? [])
  }
  return left
}
