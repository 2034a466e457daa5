/**
 * Roughly what a machine can be worth: filled in one go, what is worth most for its room first.
 *
 * Good enough to tell which machines are worth a closer look, and a hundred times quicker than
 * one. What a replica is worth never changes while a packing is made, so the order of the shapes is
 * found once for all machines that have about as much of one resource for each unit of another.
 */
import { asksForWhole, needsOf, roomOf } from './knapsack.ts'
import type { PackingProblem } from './problem.ts'

/** USD an hour that the machine is worth with these replicas to choose from, by shape. */
export type Estimate = (machine: number, counts: Int32Array) => number

export type EstimateOptions = {
  /** By shape: USD an hour. */
  readonly worth: Float64Array
  /** The most replicas that one machine may carry. */
  readonly replicasMax: number
}

export function makeEstimate(problem: PackingProblem, options: EstimateOptions): Estimate {
  const { shapes, machines } = problem
  const { worth, replicasMax } = options
  const needs = needsOf(shapes)
  const isWhole = asksForWhole(shapes)
  const rooms = machines.map((own) => roomOf(own, isWhole))
  const most = Float64Array.from(shapes, (own) => own.mostPerMachine ?? replicasMax)
  const isApart = Uint8Array.from(shapes, ({ apart }) => (apart === undefined ? 0 : 1))
  const group = numbered(shapes.map(({ apart }) => apart))
  const sort = numbered(shapes.map(({ takes }) => takes))
  // Numbered in the same order.
  const sorts = [...new Set(shapes.map(({ takes }) => takes))]
  const open = machines.map(({ name }) =>
    Uint8Array.from(sorts, (takes) => (takes?.has(name) === false ? 0 : 1)),
  )
  const orderOn = makeOrders({ needs, worth })
  const left = new Float64Array(needs.length)
  const isUsed = new Uint8Array(shapes.length)
  return (machine, counts) => {
    const [room, takes] = [rooms[machine] ?? [], open[machine] ?? new Uint8Array()]
    left.set(room)
    isUsed.fill(0)
    let replicas = replicasMax
    let total = 0
    const order = orderOn(room)
    for (let k = 0; k < order.length && replicas > 0; k += 1) {
      const i = order[k] as number
      if (counts[i] === 0 || takes[sort[i] as number] === 0) continue
      if (isApart[i] === 1 && isUsed[group[i] as number] === 1) continue
      let count = Math.min(counts[i] as number, most[i] as number, replicas)
      for (let r = 0; r < needs.length; r += 1) {
        const need = needs[r]?.[i] as number
        if (need * count > (left[r] as number)) count = Math.floor((left[r] as number) / need)
      }
      if (count === 0) continue
      if (isApart[i] === 1) isUsed[group[i] as number] = 1
      for (let r = 0; r < needs.length; r += 1) {
        left[r] = (left[r] as number) - count * (needs[r]?.[i] as number)
      }
      total += count * (worth[i] as number)
      replicas -= count
    }
    return total
  }
}

type Ordering = { readonly needs: readonly Float64Array[]; readonly worth: Float64Array }

/** Machines whose resources stand in proportions this close are filled in the same order. */
const STEPS_PER_DOUBLING = 8

/** The shapes in the order in which such a machine is filled: most worth for their share first. */
function makeOrders({ needs, worth }: Ordering): (room: readonly number[]) => Int32Array {
  const known = new Map<string, Int32Array>()
  return (room) => {
    const [first = 1] = room
    const key = room
      .map((own) => (own === 0 ? 'none' : Math.round(STEPS_PER_DOUBLING * Math.log2(own / first))))
      .join(' ')
    const before = known.get(key)
    if (before !== undefined) return before
    const density = worth.map((own, i) => {
      const shares = room.map((all, r) => (needs[r]?.[i] ?? 0) / Math.max(all, 1))
      return own / Math.max(...shares, 1e-12)
    })
    const order = Int32Array.from(worth.keys()).sort(
      (a, b) => (density[b] ?? 0) - (density[a] ?? 0) || a - b,
    )
    known.set(key, order)
    return order
  }
}

/** A number for each value, the same for the same. */
function numbered(values: readonly unknown[]): Int32Array {
  const known = new Map<unknown, number>()
  return Int32Array.from(values, (value) => {
    const number = known.get(value) ?? known.size
    known.set(value, number)
    return number
  })
}
