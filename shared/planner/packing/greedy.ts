/**
 * Packs at once: again and again the machine that is worth most for what it costs.
 *
 * Given what a replica of each shape is worth, the best filling of each machine is found, and the
 * one with the most worth a dollar is bought as often as there are replicas for it. As replicas
 * find their places a filling can only become worth less, so what a machine was worth before
 * bounds what it is worth now, and most machines need not be looked at again.
 */
import { assert } from '../../base/assert.ts'
import { makeMachineFiller, type MachineFiller } from './fill-machine.ts'
import { cheapestAlone, type PackingProblem, type Packing, type Pattern } from './problem.ts'

export type GreedyOptions = {
  /** By shape: USD an hour. */
  readonly worth: Float64Array
  /** Unfinished fillings that go on at a time while one machine is filled. */
  readonly width: number
}

/** By shape: what one replica costs on the machine that holds it and its own kind cheapest. */
export function worthAlone({ shapes, machines }: PackingProblem): Float64Array {
  return Float64Array.from(shapes, (shape) => {
    const { cost, most } = cheapestAlone(shape, machines)
    return cost / most
  })
}

/** Every shape must fit on some machine and be worth something. */
export function packGreedily(problem: PackingProblem, options: GreedyOptions): Packing {
  const counts = Int32Array.from(problem.shapes, (own) => own.count)
  const offers = problem.machines.map((own, machine): Offer => {
    const { priceUsdPerHour } = own
    const filler = makeMachineFiller(problem.shapes, own)
    return { machine, priceUsdPerHour, filler, perUsd: Infinity, counts: undefined, isFresh: false }
  })
  const machines: { pattern: Pattern; times: number }[] = []
  let costUsdPerHour = 0
  while (counts.some((count) => count > 0)) {
    const best = bestOffer(offers, counts, options)
    assert(best?.counts !== undefined, 'some machine holds what is left', counts)
    const pattern: Pattern = { machine: best.machine, counts: Int32Array.from(best.counts) }
    const times = timesOf(pattern, counts)
    pattern.counts.forEach((count, i) => {
      counts[i] = (counts[i] ?? 0) - count * times
    })
    machines.push({ pattern, times })
    costUsdPerHour += times * best.priceUsdPerHour
    for (const own of offers) own.isFresh = false
  }
  return { machines, costUsdPerHour }
}

type Offer = {
  readonly machine: number
  readonly priceUsdPerHour: number
  readonly filler: MachineFiller
  /** What its best filling was worth a dollar when it was last looked at. */
  perUsd: number
  counts: Int32Array | undefined
  isFresh: boolean
}

/** The offer with most worth a dollar for the replicas there are. */
function bestOffer(
  offers: readonly Offer[],
  counts: Int32Array,
  { worth, width }: GreedyOptions,
): Offer | undefined {
  for (;;) {
    let best: Offer | undefined
    for (const own of offers) if (best === undefined || own.perUsd > best.perUsd) best = own
    if (best === undefined || best.isFresh) return best
    const found = best.filler({ worth, counts }, { width, above: 0 })
    best.perUsd = found.worth / best.priceUsdPerHour
    best.counts = found.counts
    best.isFresh = true
  }
}

/** How often there are replicas for the whole pattern. */
function timesOf({ counts }: Pattern, left: Int32Array): number {
  let times = Infinity
  counts.forEach((count, i) => {
    if (count > 0) times = Math.min(times, Math.floor((left[i] ?? 0) / count))
  })
  return times
}
