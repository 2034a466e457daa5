/**
 * The search for the most that one machine can be worth, where it has to be known exactly.
 *
 * What takes no device or whole ones is decided shape by shape. For the rest each device is one
 * thing: a set of parts that fit together on it, a pattern, found once for all devices. As many of
 * them are put side by side as devices are left. Tables say what an unfinished filling could still
 * become, and only what may become better than all that was found goes on.
 *
 * Two unfinished fillings with as many devices left are compared: one that leaves no less of
 * anything and is worth no less makes the other needless, since whatever completes the other one
 * completes it too. The same holds of two patterns. Only shapes that are scarce need care, of which
 * there are fewer than the machine has room for: the better one may have used up what completes the
 * other. So it must have used none of them, or the same.
 *
 * No filling is worth more than the best one found, or than `missed`. Suppose that one were. Each
 * of its beginnings, and each of its patterns, promises no less than it is worth, for tables never
 * promise too little; so none was left behind for its promise, nor dropped for want of width, for
 * then `missed` would be as much. One that was needless gave way to another with which the filling
 * is worth no less, and the same holds of that one. So after the last device it was found.
 *
 * Source: Kellerer, Pferschy, Pisinger, Knapsack Problems (2004), chapter 3 on dominance.
 */
import { must } from '../../base/assert.ts'
import { DEVICE_MILLI, fillDevice, unitsFor, type Part } from './device-tables.ts'
import type { FillLimits } from './fill-machine.ts'
import { CPU, type Knapsack } from './knapsack.ts'
import type { Goods } from './room-prices.ts'
import { mostToCome, type Cells, type Left, type RoomTable } from './room-table.ts'

/**
 * An unfinished filling: of a machine or, with `parts` left of its own and the others still empty,
 * of one device.
 */
export type Unfinished = Left & {
  readonly value: number
  readonly bound: number
  readonly last: Step | undefined
  /** Scarce shapes on its devices, in order, each as often as it is there. */
  readonly scarce: readonly number[]
}

/** What was added last: some of one shape, or a pattern. */
export type Step = { readonly before: Step | undefined } & (
  { readonly shape: number; readonly count: number } | { readonly pattern: Step | undefined }
)

export type Search = {
  /** Of whole devices. */
  readonly knapsack: Knapsack
  readonly goods: Goods
  /** Shapes that take whole devices or none, as they are decided, and the others. */
  readonly order: readonly number[]
  readonly parts: readonly Part[]
  readonly tables: readonly RoomTable[]
  readonly limits: FillLimits
}

export type Found = {
  readonly above: number
  /** Fillings worth more than `above`. */
  readonly fillings: Unfinished[]
  /** No filling so far is worth more; `above` at least. */
  best: number
  /** No filling that was dropped on the way could have become worth more. */
  missed: number
  nodes: number
}

const EPSILON = 1e-9
/** Unfinished patterns that go on, for each unfinished filling that does. */
const PATTERNS_WIDTH = 16
/** Fillings that one look at a pattern on a device counts as: it is by far the shortest. */
const PATTERN_NODES = 1 / 8

export function startOn({ room }: Knapsack): Unfinished {
  const [cpu = 0, memory = 0, gpu = 0] = room
  return { cpu, memory, gpu, parts: 0, value: 0, bound: Infinity, last: undefined, scarce: [] }
}

export function searchMachine(given: Search): Found {
  const { knapsack, tables, order, limits } = given
  const { above, width } = limits
  const start = startOn(knapsack)
  const found: Found = { above, fillings: [], best: above, missed: 0, nodes: 0 }
  if (leastToCome(tables, 0, start) <= above) return found
  let going: readonly Unfinished[] = [start]
  for (const depth of order.keys()) {
    const next: Unfinished[] = []
    for (const own of going) growByShape(found, own, { given, depth, next })
    going = cut(found, undominated(next), width)
  }
  if (going.length === 0 || start.gpu === 0 || given.parts.length === 0) return found
  const patterns = patternsOf(found, given)
  for (let step = 0; step < start.gpu && going.length > 0; step += 1) {
    const next: Unfinished[] = []
    for (const own of going) growByPattern(found, own, { given, patterns, next })
    going = cut(found, undominated(next), width)
  }
  return found
}

type Growth = { readonly given: Search; readonly depth: number; readonly next: Unfinished[] }

/** Goes on with every number of the shape that fits, as far as it may become the best. */
function growByShape(found: Found, own: Unfinished, { given, depth, next }: Growth): void {
  const { goods, knapsack, order, tables } = given
  const shape = order[depth] as number
  const [cpu = 0, memory = 0, gpu = 0] = knapsack.needs.map((need) => need[shape])
  let count = goods.most[shape] as number
  if (cpu * count > own.cpu) count = Math.floor(own.cpu / cpu)
  if (memory * count > own.memory) count = Math.floor(own.memory / memory)
  if (gpu * count > own.gpu) count = Math.floor(own.gpu / gpu)
  for (; count >= 0; count -= 1) {
    found.nodes += 1
    const left = {
      ...{ cpu: own.cpu - count * cpu, memory: own.memory - count * memory },
      ...{ gpu: own.gpu - count * gpu, parts: 0 },
    }
    const value = own.value + count * (goods.worth[shape] as number)
    const bound = value + leastToCome(tables, depth + 1, left)
    const last = count === 0 ? own.last : { shape, count, before: own.last }
    const after = { ...left, value, bound, last, scarce: own.scarce }
    if (count > 0) keep(found, after)
    if (bound > found.best + EPSILON) next.push(after)
  }
}

function leastToCome(tables: readonly RoomTable[], depth: number, left: Left): number {
  let least = Infinity
  for (const table of tables) least = Math.min(least, mostToCome(table, depth, left))
  return least
}

function keep(found: Found, own: Unfinished): void {
  if (own.value > found.above + EPSILON) found.fillings.push(own)
  found.best = Math.max(found.best, own.value)
}

type PatternGrowth = {
  readonly given: Search
  readonly patterns: readonly Unfinished[]
  readonly next: Unfinished[]
}

/** Goes on with every pattern on the next device. */
function growByPattern(
  found: Found,
  own: Unfinished,
  { given, patterns, next }: PatternGrowth,
): void {
  const { tables, order } = given
  if (own.gpu === 0) return
  found.nodes += patterns.length * PATTERN_NODES
  for (const pattern of patterns) {
    const cpu = own.cpu - pattern.cpu
    const memory = own.memory - pattern.memory
    if (cpu < 0 || memory < 0) continue
    const left = { cpu, memory, gpu: own.gpu - 1, parts: 0 }
    const value = own.value + pattern.value
    const bound = value + leastToCome(tables, order.length, left)
    if (bound <= found.best + EPSILON && value <= found.best) continue
    const scarce = together(own.scarce, pattern.scarce, given)
    if (scarce === undefined) continue
    const last = { pattern: pattern.last, before: own.last }
    const after = { ...left, value, bound, last, scarce }
    keep(found, after)
    if (bound > found.best + EPSILON) next.push(after)
  }
}

/** Undefined where there are not so many. */
function together(
  a: readonly number[],
  b: readonly number[],
  { goods: { most } }: Search,
): readonly number[] | undefined {
  if (b.length === 0) return a
  const all = [...a, ...b].sort((x, y) => x - y)
  const isTooMany = all.some((shape, k) => all[k + (most[shape] ?? 0)] === shape)
  return isTooMany ? undefined : all
}

type Inside = { readonly table: RoomTable; readonly levels: readonly Cells[] }

/** What one device may hold, as what that takes of the machine. */
function patternsOf(found: Found, given: Search): readonly Unfinished[] {
  const { parts, knapsack, tables, limits } = given
  const machine = startOn(knapsack)
  const start = { ...machine, gpu: machine.gpu - 1, parts: DEVICE_MILLI }
  const inside = tables.map((table): Inside => {
    const { row, most } = table
    const after = must(most[0], 'a table').slice(start.gpu * row, (start.gpu + 1) * row)
    return { table, levels: fillDevice(after, { parts, grid: table }) }
  })
  const { unitMilli } = unitsFor(parts)
  let going: readonly Unfinished[] = [start]
  for (const depth of parts.keys()) {
    const next: Unfinished[] = []
    for (const own of going) growByPart(found, own, { given, inside, unitMilli, depth, next })
    going = cut(found, next, PATTERNS_WIDTH * limits.width)
  }
  return undominated(going.filter((own) => own.last !== undefined)).map((own) => ({
    ...own,
    cpu: machine.cpu - own.cpu,
    memory: machine.memory - own.memory,
  }))
}

type PartGrowth = Growth & { readonly inside: readonly Inside[]; readonly unitMilli: number }

/** Goes on with every number of the part that the device still holds. */
function growByPart(
  found: Found,
  own: Unfinished,
  { given, inside, unitMilli, depth, next }: PartGrowth,
): void {
  const { shape, milli, cpu, memory, worth, mostPerDevice, isScarce } = given.parts[depth] as Part
  let count = mostPerDevice
  if (milli * count > own.parts) count = Math.floor(own.parts / milli)
  if (cpu * count > own.cpu) count = Math.floor(own.cpu / cpu)
  if (memory * count > own.memory) count = Math.floor(own.memory / memory)
  for (; count >= 0; count -= 1) {
    found.nodes += 1
    const left = {
      ...{ cpu: own.cpu - count * cpu, memory: own.memory - count * memory },
      ...{ gpu: own.gpu, parts: own.parts - count * milli },
    }
    const value = own.value + count * worth
    const units = Math.floor(left.parts / unitMilli)
    const bound = value + leastInside(inside, { depth: depth + 1, units, left })
    if (bound <= found.best + EPSILON) continue
    const last = count === 0 ? own.last : { shape, count, before: own.last }
    const more = isScarce ? Array<number>(count).fill(shape) : []
    next.push({ ...left, value, bound, last, scarce: [...own.scarce, ...more] })
  }
}

type OnDevice = { readonly depth: number; readonly units: number; readonly left: Left }

function leastInside(inside: readonly Inside[], { depth, units, left }: OnDevice): number {
  let least = Infinity
  for (const { table, levels } of inside) {
    const [counted, sold] =
      table.counted === CPU ? [left.cpu, left.memory] : [left.memory, left.cpu]
    const cell = units * table.row + Math.floor(counted / table.unit)
    least = Math.min(least, (levels[depth]?.[cell] as number) + table.soldPrice * sold)
  }
  return least
}

/** The most promising; what the others could have become is remembered. */
function cut(found: Found, all: Unfinished[], width: number): readonly Unfinished[] {
  const alive = all.filter(({ bound }) => bound > found.best + EPSILON)
  if (alive.length <= width) return alive
  alive.sort((a, b) => b.bound - a.bound)
  found.missed = Math.max(found.missed, alive[width]?.bound ?? 0)
  return alive.slice(0, width)
}

/** Those that no other one makes needless. */
function undominated(all: readonly Unfinished[]): Unfinished[] {
  const stairs = new Map<string, Stairs>()
  const stairsOf = (name: string): Stairs => {
    const own = stairs.get(name) ?? { cpu: [], memory: [] }
    stairs.set(name, own)
    return own
  }
  const best = all.toSorted((a, b) => b.value - a.value || b.cpu - a.cpu || b.memory - a.memory)
  return best.filter((own) => {
    const free = String(own.gpu)
    if (own.scarce.length === 0) return climb(stairsOf(free), own)
    return !isBelow(stairsOf(free), own) && climb(stairsOf(`${free} ${own.scarce.join()}`), own)
  })
}

/** What is left with those so far of which no other one leaves as much; processors ascend. */
type Stairs = { readonly cpu: number[]; readonly memory: number[] }

/** False where one that is there leaves as much. */
function climb(stairs: Stairs, own: Unfinished): boolean {
  if (isBelow(stairs, own)) return false
  const at = stepFor(stairs, own.cpu)
  const above = stairs.cpu[at] === own.cpu ? at + 1 : at
  let from = above
  while (from > 0 && (stairs.memory[from - 1] as number) <= own.memory) from -= 1
  stairs.cpu.splice(from, above - from, own.cpu)
  stairs.memory.splice(from, above - from, own.memory)
  return true
}

function isBelow(stairs: Stairs, own: Unfinished): boolean {
  const memory = stairs.memory[stepFor(stairs, own.cpu)]
  return memory !== undefined && memory >= own.memory
}

/** The first step that leaves so many processors. */
function stepFor({ cpu: steps }: Stairs, cpu: number): number {
  let [low, high] = [0, steps.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((steps[middle] as number) >= cpu) high = middle
    else low = middle + 1
  }
  return low
}
