/**
 * What parts of devices could add to a filling: dynamic programs that fill one device after another
 * and look at each device by itself.
 *
 * Parts that fit in sum need not fit device by device, so here the sum is never taken: one program
 * fills a single device, in units of its parts, and others put such devices side by side. Each
 * counts one resource besides and sells the other at its price, like the tables that they go on
 * from. All needs are rounded down to units, and how many replicas there are is kept for one device
 * alone, so what they say is never too little.
 *
 * Source: Kellerer, Pferschy, Pisinger, Knapsack Problems (2004), chapters 2 and 9.
 */
import { CPU } from './knapsack.ts'
import { raise, type Cells, type Grid } from './room-table.ts'

export const DEVICE_MILLI = 1000
/** Parts are rounded down to no less than this. */
const LEAST_UNIT_MILLI = 10

/** A shape that takes a part of a device. */
export type Part = {
  readonly shape: number
  readonly milli: number
  readonly cpu: number
  readonly memory: number
  readonly worth: number
  /** Those of them that one device has room for. */
  readonly mostPerDevice: number
  /** There are fewer of them than the machine has room for. */
  readonly isScarce: boolean
}

export type DeviceUnits = {
  readonly unitMilli: number
  /** Units of a whole device. */
  readonly units: number
}

/** Such units that no part is rounded, where that does not take too many. */
export function unitsFor(parts: readonly Part[]): DeviceUnits {
  const common = parts.reduce((own, { milli }) => commonDivisor(own, milli), DEVICE_MILLI)
  const unitMilli = Math.max(LEAST_UNIT_MILLI, common)
  return { unitMilli, units: Math.floor(DEVICE_MILLI / unitMilli) }
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b)
}

export type DevicesOptions = {
  readonly parts: readonly Part[]
  readonly grid: Grid
}

/** By devices left, then by units of what is counted: the most that parts could add there. */
export function partsOnDevices(options: DevicesOptions, gpus: number): Cells {
  const { row } = options.grid
  const one = fillDevice(new Float64Array(row), options)[0]?.subarray(-row)
  const rows = new Float64Array((gpus + 1) * row)
  // Where a device gains by one more unit; anywhere else fewer units do as well.
  const steps = [...(one ?? [])].flatMap((value, k, all) => (value > (all[k - 1] ?? 0) ? [k] : []))
  for (let d = 1; d <= gpus; d += 1) {
    const [before, after] = [(d - 1) * row, d * row]
    rows.copyWithin(after, before, after)
    for (const k of steps) {
      const added = one?.[k] as number
      for (let c = k; c < row; c += 1) {
        const value = (rows[before + c - k] as number) + added
        if (value > (rows[after + c] as number)) rows[after + c] = value
      }
    }
  }
  return rows
}

/**
 * By depth among the parts, then by units of the device that are left and units of what is counted:
 * the most that the parts from there on, and all that `after` says of the rest, could add.
 */
export function fillDevice(after: Cells, options: DevicesOptions): readonly Cells[] {
  const { row } = options.grid
  const { units } = unitsFor(options.parts)
  let last = new Float64Array((units + 1) * row)
  for (let start = 0; start < last.length; start += row) last.set(after, start)
  const levels = [last]
  for (const part of options.parts.toReversed()) {
    last = withPart(last, part, options)
    levels.push(last)
  }
  return levels.reverse()
}

/** One more part to choose from; the very same cells where it could add nothing. */
function withPart(before: Cells, part: Part, { grid, parts }: DevicesOptions): Cells {
  const { row, unit, soldPrice } = grid
  const { unitMilli } = unitsFor(parts)
  const [need, sold] = grid.counted === CPU ? [part.cpu, part.memory] : [part.memory, part.cpu]
  const surplus = part.worth - soldPrice * sold
  if (surplus <= 0) return before
  const cells = Float64Array.from(before)
  for (let count = 1; count <= part.mostPerDevice; count += 1) {
    const across = Math.floor((count * need) / unit)
    const down = Math.floor((count * part.milli) / unitMilli) * row
    if (across >= row || down >= cells.length) break
    raise(cells, before, { row, across, down, added: count * surplus })
  }
  return cells
}
