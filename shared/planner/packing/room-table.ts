/**
 * What the shapes still to come could add to an unfinished filling, by what is left of the machine:
 * a dynamic program that counts devices and one resource, and sells the others at their prices.
 *
 * Prices alone let shapes be used in part. Where a machine holds four replicas with a GPU each,
 * that promises far too much: counting one resource as well as the devices tells which sums of
 * whole replicas there are. Needs are rounded down to the table's units, so it never promises too
 * little. One table counts processors, the other one memory; the lower promise holds.
 *
 * Source: Kellerer, Pferschy, Pisinger, Knapsack Problems (2004), chapters 2 and 9: dynamic
 * programming for bounded knapsacks, on the relaxation of all constraints but two.
 */
import { CPU, GPU, MEMORY, PARTS, type Knapsack } from './knapsack.ts'
import type { Goods } from './room-prices.ts'

export type TableOptions = {
  /** The order in which shapes are decided. */
  readonly order: readonly number[]
  /** By resource. */
  readonly prices: Float64Array
  /** About as many cells for each shape. */
  readonly cells: number
  /** What other things than these shapes could add, by cell; absent: nothing. */
  readonly base?: (grid: Grid) => Cells
}

export type RoomTable = {
  /** The resource that is counted besides devices, in what units, and the one that is sold. */
  readonly counted: number
  readonly unit: number
  readonly sold: number
  readonly soldPrice: number
  readonly partsPrice: number
  /** Cells of one row: one for each number of units of what is counted. */
  readonly row: number
  /** By depth in `order`: by cell, what the shapes from there on could add. */
  readonly most: readonly Float64Array[]
}

/** Counts the processors, and counts the memory. */
export function makeRoomTables(
  knapsack: Knapsack,
  goods: Goods,
  options: TableOptions,
): readonly RoomTable[] {
  return [CPU, MEMORY].map((counted) => makeRoomTable(knapsack, goods, { ...options, counted }))
}

/** `counted`: the processors or the memory. */
export function makeRoomTable(
  knapsack: Knapsack,
  goods: Goods,
  { order, prices, cells, base, counted }: TableOptions & { readonly counted: number },
): RoomTable {
  const sold = counted === CPU ? MEMORY : CPU
  const soldPrice = prices[sold] as number
  const partsPrice = prices[PARTS] as number
  const rows = (knapsack.room[GPU] as number) + 1
  const perRow = Math.max(1, Math.floor(cells / rows))
  const unit = Math.max(1, Math.ceil((knapsack.room[counted] as number) / perRow))
  const row = Math.floor((knapsack.room[counted] as number) / unit) + 1
  const grid = { counted, unit, sold, soldPrice, partsPrice, row }
  let last = base?.(grid) ?? new Float64Array(rows * row)
  const most = [last]
  for (const shape of order.toReversed()) {
    last = withShape(last, { grid, shape, knapsack, goods })
    most.push(last)
  }
  return { ...grid, most: most.reverse() }
}

export type Cells = Float64Array<ArrayBuffer>
/** A table before it is filled. */
export type Grid = Omit<RoomTable, 'most'>

type Adding = {
  readonly grid: Grid
  readonly shape: number
  readonly knapsack: Knapsack
  readonly goods: Goods
}

/** One more shape to choose from; the very same cells where it could add nothing. */
function withShape(before: Cells, { grid, shape, knapsack, goods }: Adding): Cells {
  const { row, unit, soldPrice, partsPrice } = grid
  const need = (resource: number): number => knapsack.needs[resource]?.[shape] as number
  const price = soldPrice * need(grid.sold) + partsPrice * need(PARTS)
  const surplus = (goods.worth[shape] as number) - price
  if (surplus <= 0) return before
  const after = Float64Array.from(before)
  for (let count = 1; count <= (goods.most[shape] as number); count += 1) {
    const across = Math.floor((count * need(grid.counted)) / unit)
    const down = count * need(GPU) * row
    if (across >= row || down >= after.length) break
    raise(after, before, { row, across, down, added: count * surplus })
  }
  return after
}

type Raise = {
  readonly row: number
  /** Cells that are taken within a row, and whole rows' cells. */
  readonly across: number
  readonly down: number
  readonly added: number
}

/** Each cell becomes at least what was so many cells before it, and what is added. */
export function raise(cells: Cells, before: Cells, { row, across, down, added }: Raise): void {
  for (let start = down; start < cells.length; start += row) {
    for (let k = start + across; k < start + row; k += 1) {
      const value = (before[k - down - across] as number) + added
      if (value > (cells[k] as number)) cells[k] = value
    }
  }
}

/** What is left of a machine. */
export type Left = {
  readonly cpu: number
  readonly memory: number
  readonly gpu: number
  readonly parts: number
}

/** No more than this can be added by the shapes from this depth on. */
export function mostToCome(table: RoomTable, depth: number, left: Left): number {
  const isCpu = table.counted === CPU
  const counted = isCpu ? left.cpu : left.memory
  const sold = isCpu ? left.memory : left.cpu
  const cell = left.gpu * table.row + Math.floor(counted / table.unit)
  const added = table.most[depth]?.[cell] as number
  return table.soldPrice * sold + table.partsPrice * left.parts + added
}
