/**
 * The most that one machine can be worth: a knapsack with a few resources and bounded counts.
 *
 * Shape by shape, those first that are worth most for the room they take, every way to go on is
 * tried from the fillings that promise most. Prices for the room bound what an unfinished filling
 * can still become by one sum, tables by one look each. Only so many fillings go on at a time, and
 * the bounds of those that were dropped say what the search may have missed.
 *
 * Source: Kellerer, Pferschy, Pisinger, Knapsack Problems (2004), chapter 9.
 */
import { asksForWhole, CPU, GPU, makeKnapsack, MEMORY, PARTS, type Knapsack } from './knapsack.ts'
import { mostAlone, type MachineType, type Shape } from './problem.ts'
import { openMarket, priceOf, type Goods, type RoomPrices } from './room-prices.ts'
import { makeRoomTables, mostToCome, type Left, type RoomTable } from './room-table.ts'
import { makeSharesBook, type Shares, type SharesBook } from './shares.ts'

export type FillLimits = {
  /** Unfinished fillings that go on from one shape to the next. */
  readonly width: number
  /** Only a filling worth more than this is of interest. */
  readonly above: number
  /** How many fillings that are worth more than that are told besides the best one. */
  readonly others: number
  /** Cells for each shape in the tables that bound what fillings can become; none: no tables. */
  readonly cells: number
}

export type Filling = {
  /** What the filling found is worth; `above` where none was found. */
  readonly worth: number
  /** Undefined where none is worth more than `above`, or none was found. */
  readonly counts: Int32Array | undefined
  /** Other fillings that are worth more than `above`. */
  readonly others: readonly Int32Array[]
  /** No filling of this machine is worth more. */
  readonly bound: number
  /** Unfinished fillings that were looked at. */
  readonly nodes: number
}

export type Wanted = {
  /** By shape: what one replica is worth, USD an hour. */
  readonly worth: Float64Array
  /** By shape: replicas there are. */
  readonly counts: Int32Array
}

/** Fills one machine, again and again, as worth and counts change. */
export type MachineFiller = (wanted: Wanted, limits: FillLimits) => Filling

const EPSILON = 1e-9

/** Machines that are filled with the same shapes share the book. */
export function makeMachineFiller(
  shapes: readonly Shape[],
  machine: MachineType,
  shared: SharesBook = makeSharesBook(),
): MachineFiller {
  const fitting = Int32Array.from(shapes, (shape) => mostAlone(shape, machine))
  const knapsack = makeKnapsack(shapes, machine)
  const market = openMarket(knapsack)
  // With one device at most, or whole ones alone, what is left of them in all says enough.
  const book = machine.gpus <= 1 || asksForWhole(shapes) ? undefined : shared
  return ({ worth, counts: all }, limits) => {
    const { above } = limits
    const nothing = { worth: above, counts: undefined, others: [], bound: above, nodes: 0 }
    const most = fitting.map((own, i) => Math.min(own, all[i] ?? 0))
    const some = [...shapes.keys()].filter((i) => (most[i] ?? 0) > 0 && (worth[i] ?? 0) > EPSILON)
    const prices = market({ worth, most, some }, above)
    if (prices.bound <= above) return nothing
    const goods = withoutHopeless({ worth, most, some }, knapsack, { prices, above })
    const order = byEfficiency(goods, knapsack, prices)
    const options = { order, prices: prices.each, cells: limits.cells }
    const tables = limits.cells === 0 ? [] : makeRoomTables(knapsack, goods, options)
    const start = startOn(knapsack, { machine, shares: book?.none })
    if (tables.some((table) => mostToCome(table, 0, start.left) <= above)) return nothing
    const rest = surplusAfter(order, goods, { knapsack, prices })
    const found = search(
      { ...{ shapes, goods, knapsack, prices, order }, ...{ tables, rest, book, limits } },
      start,
    )
    const bound = Math.max(found.best, found.missed)
    const others = found.others.map((own) => countsOf(own, shapes.length))
    const counts = found.last === undefined ? undefined : countsOf(found.last, shapes.length)
    return { worth: found.best, counts, others, bound, nodes: found.nodes }
  }
}

type Hope = { readonly prices: RoomPrices; readonly above: number }

/** A shape that loses by its room's price can be there only as long as hope pays for it. */
export function withoutHopeless(
  { worth, most, some }: Goods,
  { needs }: Knapsack,
  { prices, above }: Hope,
): Goods {
  const fewer = Int32Array.from(most)
  for (const i of some) {
    const loss = priceOf(needs, prices.each, i) - (worth[i] as number)
    if (loss <= 0) continue
    const affordable = Math.floor((prices.bound - above) / loss + EPSILON)
    fewer[i] = Math.min(fewer[i] as number, affordable)
  }
  return { worth, most: fewer, some: some.filter((i) => (fewer[i] as number) > 0) }
}

/** An unfinished filling: what is left of the machine, and how it came to be. */
type Unfinished = {
  readonly left: Left
  /** Without a price: where it is scarce the search promises too much, never too little. */
  readonly diskMib: number
  /** Devices of which no whole one was given away; their parts may have been. */
  readonly devices: number
  /** Undefined where it is enough to count them in all. */
  readonly shares: Shares | undefined
  readonly value: number
  readonly bound: number
  readonly last: Step | undefined
}

type Step = { readonly shape: number; readonly count: number; readonly before: Step | undefined }

type Start = { readonly machine: MachineType; readonly shares: Shares | undefined }

function startOn({ room }: Knapsack, { machine, shares }: Start): Unfinished {
  const { gpus, diskMib = Infinity } = machine
  const [cpu = 0, memory = 0, gpu = 0, parts = 0] = room
  const left = { cpu, memory, gpu, parts }
  return { left, diskMib, devices: gpus, shares, value: 0, bound: Infinity, last: undefined }
}

type Search = {
  readonly shapes: readonly Shape[]
  readonly goods: Goods
  readonly knapsack: Knapsack
  readonly prices: RoomPrices
  readonly order: readonly number[]
  readonly tables: readonly RoomTable[]
  /** By depth: what the shapes from there on could add beyond what their room is priced at. */
  readonly rest: Float64Array
  readonly book: SharesBook | undefined
  readonly limits: FillLimits
}

type Found = {
  /** The most that any filling so far is worth, and how it came to be. */
  best: number
  last: Step | undefined
  /** The last few that were worth more than `above`. */
  readonly others: Step[]
  /** No filling that was dropped on the way could have become worth more. */
  missed: number
  nodes: number
}

function search(given: Search, start: Unfinished): Found {
  const { width, above } = given.limits
  const found: Found = { best: above, last: undefined, others: [], missed: 0, nodes: 0 }
  let going: readonly Unfinished[] = [start]
  for (const depth of given.order.keys()) {
    const next: Unfinished[] = []
    for (const filling of going) grow(found, filling, { given, depth, next })
    const alive = next.filter(({ bound }) => bound > found.best + EPSILON)
    if (alive.length > width) alive.sort((x, y) => y.bound - x.bound)
    found.missed = Math.max(found.missed, alive[width]?.bound ?? 0)
    going = alive.slice(0, width)
    if (going.length === 0) break
  }
  return found
}

type Growth = { readonly given: Search; readonly depth: number; readonly next: Unfinished[] }

/** Goes on with every number of the shape that fits, as far as it may become the best. */
function grow(found: Found, own: Unfinished, { given, depth, next }: Growth): void {
  const { goods, knapsack, order, tables, book } = given
  const shape = order[depth] as number
  const need = (resource: number): number => knapsack.needs[resource]?.[shape] as number
  const [cpu, memory, gpu, parts] = [need(CPU), need(MEMORY), need(GPU), need(PARTS)]
  const each = goods.worth[shape] as number
  const surplus = each - priceOf(knapsack.needs, given.prices.each, shape)
  const { left: room } = own
  const promised = own.value + (given.rest[depth + 1] as number) + priceOfLeft(room, given.prices)
  const { gpuMilli = 0, diskMib = 0 } = given.shapes[shape] ?? {}
  let count = goods.most[shape] as number
  if (cpu * count > room.cpu) count = Math.floor(room.cpu / cpu)
  if (memory * count > room.memory) count = Math.floor(room.memory / memory)
  if (gpu * count > room.gpu) count = Math.floor(room.gpu / gpu)
  if (parts * count > room.parts) count = Math.floor(room.parts / parts)
  if (diskMib * count > own.diskMib) count = Math.floor(own.diskMib / diskMib)
  for (; count >= 0; count -= 1) {
    found.nodes += 1
    const value = own.value + count * each
    let bound = promised + count * surplus
    const isBest = value > found.best + EPSILON
    if (!isBest && bound <= found.best + EPSILON) continue
    const left = {
      cpu: room.cpu - count * cpu,
      memory: room.memory - count * memory,
      gpu: room.gpu - count * gpu,
      parts: room.parts - count * parts,
    }
    for (const table of tables) {
      bound = Math.min(bound, value + mostToCome(table, depth + 1, left))
    }
    if (!isBest && bound <= found.best + EPSILON) continue
    const on = onDevices(own, { gpuMilli, count, book })
    if (on === 'unknown') found.missed = Math.max(found.missed, bound)
    if (typeof on === 'string') continue
    const last = count === 0 ? own.last : { shape, count, before: own.last }
    if (value > given.limits.above) keep(found, last, given.limits.others)
    if (isBest) {
      found.best = value
      found.last = last
    }
    const rest = own.diskMib - count * diskMib
    const { devices, shares } = on
    next.push({ left, diskMib: rest, devices, shares, value, bound, last })
  }
}

/** What is left of the machine, at the prices for it. */
function priceOfLeft({ cpu, memory, gpu, parts }: Left, { each }: RoomPrices): number {
  const ofCpuAndMemory = (each[CPU] as number) * cpu + (each[MEMORY] as number) * memory
  return ofCpuAndMemory + (each[GPU] as number) * gpu + (each[PARTS] as number) * parts
}

/** The best one so far is kept here as well. */
function keep({ others }: Found, last: Step | undefined, most: number): void {
  if (most === 0 || last === undefined) return
  others.push(last)
  if (others.length > most) others.shift()
}

type Adding = {
  readonly gpuMilli: number
  readonly count: number
  readonly book: SharesBook | undefined
}
type OnDevices = Pick<Unfinished, 'devices' | 'shares'>

/** What the devices hold with so many more on them, and whether they do. */
function onDevices(
  own: OnDevices,
  { gpuMilli, count, book }: Adding,
): OnDevices | 'full' | 'unknown' {
  if (book === undefined || own.shares === undefined || gpuMilli === 0 || count === 0) return own
  let { devices, shares } = own
  if (gpuMilli >= 1000) devices -= (count * gpuMilli) / 1000
  else for (let n = 0; n < count; n += 1) shares = book.plus(shares, gpuMilli)
  if (shares.atMost <= devices) return { devices, shares }
  return shares.atLeast > devices ? 'full' : 'unknown'
}

function countsOf(last: Step, shapes: number): Int32Array {
  const counts = new Int32Array(shapes)
  for (let step: Step | undefined = last; step !== undefined; step = step.before) {
    counts[step.shape] = step.count
  }
  return counts
}

export function byEfficiency(
  { some, worth }: Goods,
  { needs }: Knapsack,
  prices: RoomPrices,
): readonly number[] {
  const known = new Float64Array(worth.length)
  for (const i of some) {
    known[i] = (worth[i] as number) / Math.max(priceOf(needs, prices.each, i), EPSILON)
  }
  return some.toSorted((a, b) => (known[b] as number) - (known[a] as number) || a - b)
}

type Priced = { readonly knapsack: Knapsack; readonly prices: RoomPrices }

/** By depth: what the shapes from there on could add beyond what their room is priced at. */
function surplusAfter(
  order: readonly number[],
  { worth, most }: Goods,
  { knapsack, prices }: Priced,
): Float64Array {
  const rest = new Float64Array(order.length + 1)
  for (let k = order.length - 1; k >= 0; k -= 1) {
    const i = order[k] as number
    const surplus = Math.max(0, (worth[i] as number) - priceOf(knapsack.needs, prices.each, i))
    rest[k] = (rest[k + 1] as number) + surplus * (most[i] as number)
  }
  return rest
}
