/**
 * What room on a machine is worth: the multipliers of the Lagrangian relaxation of its knapsack.
 *
 * Charged a price for the room it takes, each shape is put on the machine as often as it may be
 * where it is worth more than that, however little room there is. What this comes to, with all the
 * room sold at these prices, is more than any filling is worth; subgradient steps look for prices
 * at which it is least. They hardly move from one call to the next, so they are kept.
 *
 * Source: Kellerer, Pferschy, Pisinger, Knapsack Problems (2004), chapter 9; steps as in Polyak,
 * Minimization of unsmooth functionals (1969).
 */
import type { Knapsack } from './knapsack.ts'

export type Goods = {
  /** By shape: what one replica is worth. */
  readonly worth: Float64Array
  /** By shape: the most that may be on the machine. */
  readonly most: Int32Array
  /** Shapes of which some could be on the machine. */
  readonly some: readonly number[]
}

/** What a unit of each resource is worth on this machine, and what that says of any filling. */
export type RoomPrices = { readonly each: Float64Array; readonly bound: number }

/** Stops early where no filling can be worth more than `target`. */
export type Market = (goods: Goods, target: number) => RoomPrices

const STEPS = 60
/** Steps become shorter where one did not lead down. */
const EASE = 0.9
const EPSILON = 1e-9

export function openMarket(whole: Knapsack): Market {
  const knapsack = { ...whole, sold: soldOf(whole) }
  let kept: Float64Array | undefined
  const slope = new Float64Array(knapsack.room.length)
  return (goods, target) => {
    const best = kept ?? firstPrices(knapsack, goods)
    kept = best
    const tried = Float64Array.from(best)
    let bound = Infinity
    let ease = 1
    for (let n = 0; n < STEPS; n += 1) {
      const value = relaxed(knapsack, goods, { prices: tried, slope })
      if (value < bound) {
        bound = value
        best.set(tried)
      } else ease *= EASE
      if (bound <= target) break
      if (!descend(tried, knapsack, { slope, height: ease * (value - target) })) break
    }
    return { each: Float64Array.from(best), bound }
  }
}

/** What the room that one replica takes is priced at. */
export function priceOf(needs: readonly Float64Array[], prices: Float64Array, i: number): number {
  let price = 0
  for (let r = 0; r < needs.length; r += 1)
    price += (prices[r] as number) * (needs[r]?.[i] as number)
  return price
}

/** Of what the machine has none nothing is sold: its price makes no difference. */
type Stock = Knapsack & { readonly sold: readonly number[] }

function soldOf({ room }: Knapsack): readonly number[] {
  return [...room.keys()].filter((r) => (room[r] as number) > 0)
}

type At = { readonly prices: Float64Array; readonly slope: Float64Array }

/** What the relaxed problem comes to at these prices; its slope is left in `slope`. */
function relaxed({ room, needs, sold }: Stock, goods: Goods, { prices, slope }: At): number {
  let total = 0
  for (const r of sold) {
    slope[r] = room[r] as number
    total += (prices[r] as number) * (room[r] as number)
  }
  for (const i of goods.some) {
    let surplus = goods.worth[i] as number
    for (const r of sold) surplus -= (prices[r] as number) * (needs[r]?.[i] as number)
    if (surplus <= 0) continue
    const count = goods.most[i] as number
    total += surplus * count
    for (const r of sold) {
      slope[r] = (slope[r] as number) - (needs[r]?.[i] as number) * count
    }
  }
  return total
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

/** `height`: how far down it is believed to go. */
type Descent = { readonly slope: Float64Array; readonly height: number }

/**
 * One step against the slope, as long as the height asks for; resources are measured in whole
 * machines. False where it is flat.
 */
function descend(prices: Float64Array, { room, sold }: Stock, { slope, height }: Descent): boolean {
  let norm = 0
  for (const r of sold) norm += ((slope[r] as number) / (room[r] as number)) ** 2
  if (norm < EPSILON * EPSILON) return false
  for (const r of sold) {
    const step = ((height / norm) * (slope[r] as number)) / (room[r] as number) ** 2
    prices[r] = Math.max(0, (prices[r] as number) - step)
  }
  return true
}
