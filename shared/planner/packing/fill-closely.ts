/**
 * The most that one machine can be worth, found out as closely as can be.
 *
 * Where the first look leaves a doubt. Tables that look at each device by itself are dear to make,
 * but promise so little too much that the search after them seldom has far to go.
 */
import { partsOnDevices, DEVICE_MILLI, unitsFor, type Part } from './device-tables.ts'
import { searchMachine, startOn, type Found, type Step } from './close-search.ts'
import {
  byEfficiency,
  withoutHopeless,
  type Filling,
  type FillLimits,
  type MachineFiller,
} from './fill-machine.ts'
import { CPU, makeKnapsack, MEMORY, PARTS, type Knapsack } from './knapsack.ts'
import { mostAlone, type MachineType, type Shape } from './problem.ts'
import { openMarket, type Goods } from './room-prices.ts'
import { makeRoomTable, mostToCome, type Cells, type Grid, type RoomTable } from './room-table.ts'

const isPart = ({ gpuMilli }: Shape): boolean => gpuMilli % DEVICE_MILLI > 0

/** Fills the machine as `makeMachineFiller` does; `cells` must be some. */
export function makeCloseFiller(shapes: readonly Shape[], machine: MachineType): MachineFiller {
  const fitting = Int32Array.from(shapes, (own) => mostAlone(own, machine))
  const roomFor = shapes.map(({ mostPerMachine: _, ...own }) =>
    mostAlone({ ...own, count: Infinity }, machine),
  )
  const inSum = makeKnapsack(shapes, machine)
  const knapsack = makeKnapsack(shapes.map(withoutPart), machine)
  const market = openMarket(inSum)
  const makeTables = makeTuner(knapsack)
  return ({ worth, counts }, limits) => {
    const { above } = limits
    const most = fitting.map((own, i) => Math.min(own, counts[i] ?? 0))
    const some = [...most.keys()].filter((i) => (most[i] ?? 0) > 0 && (worth[i] ?? 0) > 0)
    const nothing = { worth: above, counts: undefined, others: [], bound: above, nodes: 0 }
    if (some.length === 0) return nothing
    const prices = market({ worth, most, some }, above)
    if (prices.bound <= above) return nothing
    const goods = withoutHopeless({ worth, most, some }, inSum, { prices, above })
    const all = byEfficiency(goods, inSum, prices)
    const isScarce = (i: number): boolean => (most[i] ?? 0) < (roomFor[i] ?? 0)
    const parts = all.flatMap((i) => partOf(shapes, { goods, isScarce, shape: i }))
    const order = all.filter((i) => !parts.some(({ shape }) => shape === i))
    const { tables, nodes } = makeTables({ goods, parts, order, prices: prices.each, limits })
    const found = searchMachine({ knapsack, goods, order, parts, tables, limits })
    found.nodes += nodes
    return told(found, { shapes: shapes.length, limits })
  }
}

const withoutPart = (own: Shape): Shape => (isPart(own) ? { ...own, gpuMilli: 0 } : own)

type Parting = {
  readonly goods: Goods
  readonly isScarce: (shape: number) => boolean
  readonly shape: number
}

function partOf(shapes: readonly Shape[], { goods, isScarce, shape }: Parting): readonly Part[] {
  const own = shapes[shape]
  if (own === undefined || !isPart(own)) return []
  const { cpuMilli: cpu, memoryMib: memory, gpuMilli: milli } = own
  const most = goods.most[shape] ?? 0
  const mostPerDevice = Math.min(most, Math.floor(DEVICE_MILLI / milli))
  const worth = goods.worth[shape] ?? 0
  return [{ shape, milli, cpu, memory, worth, mostPerDevice, isScarce: isScarce(shape) }]
}

type Telling = { readonly shapes: number; readonly limits: FillLimits }

function told(found: Found, { shapes, limits: { above, others } }: Telling): Filling {
  const best = found.fillings.toSorted((a, b) => b.value - a.value)
  const fillings = new Map<string, Int32Array>()
  for (const { last } of best) {
    if (fillings.size > others) break
    const counts = new Int32Array(shapes)
    putOn(counts, last)
    const name = counts.join()
    if (!fillings.has(name)) fillings.set(name, counts)
  }
  const [counts, ...rest] = fillings.values()
  const bound = Math.max(found.best, found.missed)
  return { worth: best[0]?.value ?? above, counts, others: rest, bound, nodes: found.nodes }
}

function putOn(counts: Int32Array, last: Step | undefined): void {
  for (let step = last; step !== undefined; step = step.before) {
    if ('pattern' in step) putOn(counts, step.pattern)
    else counts[step.shape] = (counts[step.shape] ?? 0) + step.count
  }
}

type Tuning = {
  readonly goods: Goods
  readonly parts: readonly Part[]
  readonly order: readonly number[]
  /** By resource: where to begin. */
  readonly prices: Float64Array
  readonly limits: FillLimits
}

type Tuned = {
  readonly tables: readonly RoomTable[]
  /** The work of making them, in unfinished fillings that take as long. */
  readonly nodes: number
}

/** Trials for a price when a machine is filled for the first time; later there is one. */
const FIRST_TRIALS = 8
/** Cells of a table that are filled in the time of one unfinished filling. */
const CELLS_PER_NODE = 200
/** The first change of a price that is tried, as a share of it, and the least. */
const FIRST_CHANGE = 0.25
const LEAST_CHANGE = 0.01

/**
 * Tables at prices that promise as little as can be: each call tries a little more or less than
 * what was best in the last one. What tables say holds whatever the prices are.
 */
function makeTuner(knapsack: Knapsack): (tuning: Tuning) => Tuned {
  const known = new Map<number, { price: number; change: number }>()
  const start = startOn(knapsack)
  return ({ goods, parts, order, prices, limits: { cells, above } }) => {
    let nodes = 0
    const { units } = unitsFor(parts)
    const base = (grid: Grid): Cells => partsOnDevices({ parts, grid }, start.gpu)
    const tableAt = (counted: number, price: number): RoomTable => {
      const each = Float64Array.from(prices, (_, resource) => (resource === PARTS ? 0 : price))
      const table = makeRoomTable(knapsack, goods, { order, prices: each, cells, base, counted })
      const { length } = table.most[0] ?? []
      nodes += (order.length * length + parts.length * units * table.row) / CELLS_PER_NODE
      return table
    }
    const tables = [CPU, MEMORY].map((counted) => {
      const before = known.get(counted)
      const sold = counted === CPU ? MEMORY : CPU
      const own = before ?? { price: prices[sold] ?? 0, change: FIRST_CHANGE }
      known.set(counted, own)
      let table = tableAt(counted, own.price)
      let promised = mostToCome(table, 0, start)
      for (let n = before === undefined ? FIRST_TRIALS : 1; n > 0 && promised > above; n -= 1) {
        const price = own.price * (1 + own.change)
        const other = tableAt(counted, price)
        const less = mostToCome(other, 0, start)
        if (less < promised) [own.price, table, promised] = [price, other, less]
        else own.change = nextChange(own.change)
      }
      return table
    })
    return { tables, nodes }
  }
}

/** The other way, and half as far. */
function nextChange(change: number): number {
  return -Math.sign(change) * Math.max(LEAST_CHANGE, Math.abs(change) / 2)
}
