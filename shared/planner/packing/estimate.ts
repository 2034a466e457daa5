/**
 * Roughly what a machine can be worth: filled in one go, what is worth most for its room first.
 *
 * Good enough to tell which machines are worth a closer look, and hundreds of times quicker than
 * one. Worth and room never change while a packing is made, so the order of the shapes on a machine
 * is found once.
 */
import { mostAlone, RESOURCES, type PackingProblem } from './problem.ts'

/** USD an hour that the machine is worth with these replicas to choose from, by shape. */
export type Estimate = (machine: number, counts: Int32Array) => number

export type EstimateOptions = {
  /** By shape: USD an hour. */
  readonly worth: Float64Array
  /** The most replicas that one machine may carry. */
  readonly replicasMax: number
}

export function makeEstimate(
  { shapes, machines }: PackingProblem,
  { worth, replicasMax }: EstimateOptions,
): Estimate {
  const needs = RESOURCES.map(({ need }) => Float64Array.from(shapes, need))
  const groups = numbered(shapes.map(({ apart }) => apart))
  const usedBy = new Int32Array(shapes.length + 1).fill(-1)
  const orders: (Order | undefined)[] = machines.map(() => undefined)
  const left = new Float64Array(RESOURCES.length)
  return (machine, counts) => {
    const own = machines[machine]
    if (own === undefined) return 0
    const { order, most } = (orders[machine] ??= orderOn(machine, {
      shapes,
      machines,
      needs,
      worth,
    }))
    RESOURCES.forEach(({ room }, r) => (left[r] = room(own)))
    let replicas = replicasMax
    let total = 0
    usedBy.fill(-1)
    for (let k = 0; k < order.length && replicas > 0; k += 1) {
      const i = order[k] as number
      let count = Math.min(counts[i] as number, most[k] as number, replicas)
      const group = groups[i] as number
      if (count === 0 || (group >= 0 && usedBy[group] === machine)) continue
      for (let r = 0; r < needs.length; r += 1) {
        const need = needs[r]?.[i] as number
        if (need * count > (left[r] as number)) count = Math.floor((left[r] as number) / need)
      }
      if (count === 0) continue
      if (group >= 0) usedBy[group] = machine
      for (let r = 0; r < needs.length; r += 1) {
        left[r] = (left[r] as number) - count * (needs[r]?.[i] as number)
      }
      total += count * (worth[i] as number)
      replicas -= count
    }
    return total
  }
}

type Order = {
  /** Shapes that the machine may carry, most worth for their share of it first. */
  readonly order: Int32Array
  readonly most: Int32Array
}

type Ordering = PackingProblem & {
  readonly needs: readonly Float64Array[]
  readonly worth: Float64Array
}

function orderOn(machine: number, { shapes, machines, needs, worth }: Ordering): Order {
  const own = machines[machine]
  const rooms = RESOURCES.map(({ room }) => (own === undefined ? 0 : room(own)))
  const fitting = shapes.map((shape) => (own === undefined ? 0 : mostAlone(shape, own)))
  const density = fitting.map((most, i) => {
    if (most === 0) return 0
    const shares = rooms.map((room, r) => (needs[r]?.[i] ?? 0) / Math.max(room, 1))
    return (worth[i] ?? 0) / Math.max(...shares, 1e-9)
  })
  const order = [...shapes.keys()]
    .filter((i) => (fitting[i] ?? 0) > 0)
    .sort((a, b) => (density[b] ?? 0) - (density[a] ?? 0) || a - b)
  return { order: Int32Array.from(order), most: Int32Array.from(order, (i) => fitting[i] ?? 0) }
}

/** A number for each name, the same for the same; −1 where there is none. */
function numbered(names: readonly (string | undefined)[]): Int32Array {
  const known = new Map<string, number>()
  return Int32Array.from(names, (name) => {
    if (name === undefined) return -1
    const number = known.get(name) ?? known.size
    known.set(name, number)
    return number
  })
}
