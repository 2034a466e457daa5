/**
 * The most that one machine can be worth: a knapsack with a few resources and bounded counts.
 *
 * Shape by shape, those first that are worth most for the room they take, every way to go on is
 * tried from the fillings that promise most. Room is priced by the multipliers of the Lagrangian
 * relaxation, which bounds what an unfinished filling can still become by one sum; they hardly move
 * from one call to the next, so they are kept. Only so many fillings go on at a time, and the
 * bounds of those that were dropped say what the search may have missed.
 *
 * Source: Kellerer, Pferschy, Pisinger, Knapsack Problems (2004), chapter 9.
 */
import { takeDevices, withoutShares } from '../devices.ts'
import { mostAlone, RESOURCES, type MachineType, type Shape } from './problem.ts'

export type FillLimits = {
  /** Unfinished fillings that go on from one shape to the next. */
  readonly width: number
  /** Only a filling worth more than this is of interest. */
  readonly above: number
}

export type Filling = {
  /** What the filling found is worth; `above` where none was found. */
  readonly worth: number
  /** Undefined where none is worth more than `above`, or none was found. */
  readonly counts: Int32Array | undefined
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

const MULTIPLIER_STEPS = 60
const EPSILON = 1e-9
/** Steps become shorter where one did not lead down. */
const EASE = 0.9

export function makeMachineFiller(shapes: readonly Shape[], machine: MachineType): MachineFiller {
  const room = RESOURCES.map((own) => own.room(machine))
  const needs = RESOURCES.map((own) => Float64Array.from(shapes, own.need))
  const fitting = Int32Array.from(shapes, (shape) => mostAlone(shape, machine))
  // Parts of devices are put where they fit best, which may miss a filling: then the search proves
  // nothing, even if it drops none.
  const isWhole = machine.gpus <= 1 || shapes.every((own) => own.gpuMilli % 1000 === 0)
  const market = openMarket(room, needs)
  return ({ worth, counts }, limits) => {
    const most = fitting.map((own, i) => Math.min(own, counts[i] ?? 0))
    const some = [...shapes.keys()].filter((i) => (most[i] ?? 0) > 0 && (worth[i] ?? 0) > EPSILON)
    const goods: Goods = { worth, most, some }
    const prices = market(goods, limits.above)
    if (prices.bound <= limits.above) {
      return { worth: limits.above, counts: undefined, bound: limits.above, nodes: 0 }
    }
    const found = search({ shapes, machine, needs, isWhole, ...goods, prices, limits })
    const missed = isWhole ? found.missed : prices.bound
    return { ...found, bound: Math.max(found.worth, missed) }
  }
}

/** What a unit of each resource is worth on this machine, and what that says of any filling. */
type RoomPrices = { readonly each: Float64Array; readonly bound: number }

type Goods = {
  readonly worth: Float64Array
  readonly most: Int32Array
  /** Shapes of which some could be on the machine. */
  readonly some: readonly number[]
}

type Market = (goods: Goods, target: number) => RoomPrices

/** Finds the multipliers by subgradient steps, from where they stood the time before. */
function openMarket(room: readonly number[], needs: readonly Float64Array[]): Market {
  let kept: Float64Array | undefined
  const slope = new Float64Array(room.length)
  /** What the relaxed problem comes to at these prices; its slope is left in `slope`. */
  const relaxed = (prices: Float64Array, { worth, most, some }: Goods): number => {
    let total = 0
    for (let r = 0; r < room.length; r += 1) {
      slope[r] = room[r] as number
      total += (prices[r] as number) * (room[r] as number)
    }
    for (const i of some) {
      const surplus = (worth[i] as number) - priceOf(needs, prices, i)
      if (surplus <= 0) continue
      const count = most[i] as number
      total += surplus * count
      for (let r = 0; r < room.length; r += 1) {
        slope[r] = (slope[r] as number) - (needs[r]?.[i] as number) * count
      }
    }
    return total
  }
  return (goods, target) => {
    const best = kept ?? firstPrices({ room, needs }, goods)
    kept = best
    const tried = Float64Array.from(best)
    let bound = Infinity
    let ease = 1
    for (let n = 0; n < MULTIPLIER_STEPS; n += 1) {
      const value = relaxed(tried, goods)
      if (value < bound) {
        bound = value
        best.set(tried)
      } else ease *= EASE
      if (bound <= target || !descend(tried, { room, slope, height: ease * (value - target) }))
        break
    }
    return { each: Float64Array.from(best), bound }
  }
}

type Knapsack = { readonly room: readonly number[]; readonly needs: readonly Float64Array[] }

function priceOf(needs: readonly Float64Array[], prices: Float64Array, i: number): number {
  let price = 0
  for (let r = 0; r < needs.length; r += 1)
    price += (prices[r] as number) * (needs[r]?.[i] as number)
  return price
}

/** A third of the best worth a share of the machine, for each resource that it has. */
function firstPrices({ room, needs }: Knapsack, { worth, some }: Goods): Float64Array {
  let best = 0
  for (const i of some) {
    let share = EPSILON
    room.forEach((all, r) => {
      if (all > 0) share = Math.max(share, (needs[r]?.[i] as number) / all)
    })
    best = Math.max(best, (worth[i] as number) / share)
  }
  return Float64Array.from(room, (all) => (all > 0 ? best / room.length / all : 0))
}

type Descent = {
  readonly room: readonly number[]
  readonly slope: Float64Array
  /** How far down it is believed to go. */
  readonly height: number
}

/**
 * One step against the slope, as long as the height asks for (Polyak); resources are measured in
 * whole machines. False where it is flat.
 */
function descend(prices: Float64Array, { room, slope, height }: Descent): boolean {
  let norm = 0
  for (let r = 0; r < room.length; r += 1) {
    const all = room[r] as number
    if (all > 0) norm += ((slope[r] as number) / all) ** 2
  }
  if (norm < EPSILON * EPSILON) return false
  for (let r = 0; r < room.length; r += 1) {
    const all = room[r] as number
    if (all === 0) continue
    const step = ((height / norm) * (slope[r] as number)) / (all * all)
    prices[r] = Math.max(0, (prices[r] as number) - step)
  }
  return true
}

type Search = Goods & {
  readonly shapes: readonly Shape[]
  readonly machine: MachineType
  readonly needs: readonly Float64Array[]
  /** It is enough to count devices in all: whole ones are asked for, or there is one at most. */
  readonly isWhole: boolean
  readonly prices: RoomPrices
  readonly limits: FillLimits
}

type Found = {
  readonly worth: number
  readonly counts: Int32Array | undefined
  /** No filling that was dropped on the way could have become worth more. */
  readonly missed: number
  readonly nodes: number
}

/** An unfinished filling: what is left of the machine, and how it came to be. */
type Unfinished = {
  readonly left: Float64Array
  /** Undefined where it is enough to count them in all, as `left` does. */
  readonly devices: readonly number[] | undefined
  readonly value: number
  readonly bound: number
  readonly last: Step | undefined
}

type Step = { readonly shape: number; readonly count: number; readonly before: Step | undefined }

function search(given: Search): Found {
  const { machine, limits, isWhole } = given
  const order = byEfficiency(given)
  const rest = surplusAfter(order, given)
  const start: Unfinished = {
    left: Float64Array.from(RESOURCES, (own) => own.room(machine)),
    devices: isWhole ? undefined : Array<number>(machine.gpus).fill(1000),
    ...{ value: 0, bound: Infinity, last: undefined },
  }
  const level: Level = { best: limits.above, last: undefined, next: [], nodes: 0 }
  let going: readonly Unfinished[] = [start]
  let missed = 0
  for (const [depth, shape] of order.entries()) {
    level.next = []
    const own = { shape, rest: rest[depth + 1] as number }
    for (const filling of going) grow(level, filling, { given, ...own })
    const alive = level.next.filter(({ bound }) => bound > level.best + EPSILON)
    if (alive.length > limits.width) alive.sort((x, y) => y.bound - x.bound)
    missed = Math.max(missed, alive[limits.width]?.bound ?? 0)
    going = alive.slice(0, limits.width)
    if (going.length === 0) break
  }
  const counts = level.last === undefined ? undefined : countsOf(level.last, given)
  return { worth: level.best, counts, missed, nodes: level.nodes }
}

type Level = {
  /** The most that any filling so far is worth, and how it came to be. */
  best: number
  last: Step | undefined
  next: Unfinished[]
  nodes: number
}

type Growth = { readonly given: Search; readonly shape: number; readonly rest: number }

/** Goes on with every number of the shape that fits, as far as it may become the best. */
function grow(level: Level, own: Unfinished, { given, shape, rest }: Growth): void {
  const { shapes, needs, most, worth, prices } = given
  const each = worth[shape] as number
  const surplus = each - priceOf(needs, prices.each, shape)
  const { gpuMilli } = shapes[shape] as Shape
  let unused = own.value + rest
  let count = most[shape] as number
  for (let r = 0; r < needs.length; r += 1) {
    const [room, need] = [own.left[r] as number, needs[r]?.[shape] as number]
    unused += (prices.each[r] as number) * room
    if (need * count > room) count = Math.floor(room / need + EPSILON)
  }
  const devices = own.devices === undefined ? undefined : [own.devices]
  if (devices !== undefined) count = placeOnDevices(devices, gpuMilli, count)
  for (; count >= 0; count -= 1) {
    level.nodes += 1
    const value = own.value + count * each
    const bound = unused + count * surplus
    const isBest = value > level.best + EPSILON
    if (!isBest && bound <= level.best + EPSILON) continue
    const last = count === 0 ? own.last : { shape, count, before: own.last }
    if (isBest) [level.best, level.last] = [value, last]
    const left = own.left.map((room, r) => room - count * (needs[r]?.[shape] as number))
    level.next.push({ left, devices: devices?.[count], value, bound, last })
  }
}

/** Appends the devices as they are after 1, 2… replicas; how many of `most` there is room for. */
function placeOnDevices(steps: (readonly number[])[], gpuMilli: number, most: number): number {
  for (let count = 1; count <= most; count += 1) {
    const devices = steps[count - 1] ?? []
    const shares = gpuMilli === 0 ? [] : takeDevices(devices, gpuMilli)
    if (shares === undefined) return count - 1
    steps.push(shares.length === 0 ? devices : withoutShares(devices, shares))
  }
  return most
}

function countsOf(last: Step, { shapes }: Search): Int32Array {
  const counts = new Int32Array(shapes.length)
  for (let step: Step | undefined = last; step !== undefined; step = step.before) {
    counts[step.shape] = step.count
  }
  return counts
}

function byEfficiency({ some, worth, needs, prices }: Search): readonly number[] {
  const efficiency = (i: number): number =>
    (worth[i] as number) / Math.max(priceOf(needs, prices.each, i), EPSILON)
  const known = new Map(some.map((i) => [i, efficiency(i)]))
  return some.toSorted((a, b) => (known.get(b) ?? 0) - (known.get(a) ?? 0) || a - b)
}

/** By depth: what the shapes from there on could add beyond what their room is priced at. */
function surplusAfter(order: readonly number[], given: Search): Float64Array {
  const { worth, needs, most, prices } = given
  const rest = new Float64Array(order.length + 1)
  for (let k = order.length - 1; k >= 0; k -= 1) {
    const i = order[k] as number
    const surplus = Math.max(0, (worth[i] as number) - priceOf(needs, prices.each, i))
    rest[k] = (rest[k + 1] as number) + surplus * (most[i] as number)
  }
  return rest
}
