/**
 * Packs at once: again and again the machine that is worth most for what it costs.
 *
 * Given what a replica of each shape is worth, the best filling of each machine is found, and the
 * one with the most worth a dollar is bought as often as there are replicas for it. As replicas
 * find their places a filling can only become worth less, so what a machine was worth before
 * bounds what it is worth now, and most machines need not be looked at again.
 *
 * Source: Minoux, Accelerated greedy algorithms for maximizing submodular set functions (1978).
 */
import { assert, must } from '../../base/assert.ts'
import { groupBy } from '../../base/order.ts'
import { makeEstimate } from './estimate.ts'
import { makeMachineFiller, type MachineFiller } from './fill-machine.ts'
import { cheapestAlone, type PackingProblem, type Packing, type Pattern } from './problem.ts'

export type GreedyOptions = {
  /** By shape: USD an hour. */
  readonly worth: Float64Array
  /** Unfinished fillings that go on at a time while one machine is filled. */
  readonly width: number
  /** Machines that seem to be worth most and are filled in earnest before one is bought. */
  readonly finalists: number
  /** The most replicas that one machine may carry. */
  readonly replicasMax?: number
  /** How many of a shape the next such machine may carry, whatever room it has. */
  readonly most?: (machine: number, shape: number) => number
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
  const greedy = openGreedy(problem, options)
  const machines: { pattern: Pattern; times: number }[] = []
  let costUsdPerHour = 0
  while (greedy.left.some((count) => count > 0)) {
    const pattern = greedy.next()
    assert(pattern !== undefined, 'some machine holds what is left', greedy.left)
    const times = timesOf(pattern, greedy.left)
    greedy.take(pattern, times)
    machines.push({ pattern, times })
    costUsdPerHour += times * (problem.machines[pattern.machine]?.priceUsdPerHour ?? 0)
  }
  return { machines, costUsdPerHour }
}

/** A packing that is bought machine by machine, by somebody who may be told no. */
export type Greedy = {
  /** What is to be bought next; undefined when no machine that is open holds anything left. */
  next(): Pattern | undefined
  /** So many machines of the pattern are bought. */
  take(pattern: Pattern, times: number): void
  /** No more of this machine can be had. */
  close(machine: number): void
  /** By shape: replicas that have no place yet. */
  readonly left: Int32Array
}

type Offer = {
  readonly machine: number
  readonly priceUsdPerHour: number
  filler: MachineFiller | undefined
  /** Roughly what it was worth a dollar when it was last looked at. */
  perUsd: number
  /** When that was: how often something had been bought by then. */
  seenAt: number
}

export function openGreedy(problem: PackingProblem, options: GreedyOptions): Greedy {
  const { worth, replicasMax = Infinity, finalists } = options
  const left = Int32Array.from(problem.shapes, (own) => own.count)
  const counts = new Int32Array(left.length)
  const estimate = makeEstimate(problem, { worth, replicasMax })
  const look = makeLook(problem, { ...options, counts })
  const offers = problem.machines.map(({ priceUsdPerHour }, machine): Offer => {
    return { machine, priceUsdPerHour, filler: undefined, perUsd: Infinity, seenAt: -1 }
  })
  let now = 0
  /** What of each shape there is for such a machine. */
  const count = ({ machine }: Offer): void => {
    const { most } = options
    for (let i = 0; i < counts.length; i += 1) {
      const own = left[i] as number
      counts[i] = most === undefined ? own : Math.min(own, most(machine, i))
    }
  }
  const glance = (offer: Offer): boolean => {
    if (offer.seenAt === now) return false
    count(offer)
    offer.perUsd = estimate(offer.machine, counts) / offer.priceUsdPerHour
    offer.seenAt = now
    return true
  }
  return {
    left,
    next: () => {
      let best: Found | undefined
      for (const offer of mostPromising(offers, { glance, finalists })) {
        count(offer)
        best = look(offer, best?.perUsd ?? 0) ?? best
      }
      return best
    },
    take: (pattern, times) => {
      for (let i = 0; i < left.length; i += 1) {
        left[i] = (left[i] as number) - (pattern.counts[i] as number) * times
      }
      now += 1
    },
    close: (machine) => {
      const at = offers.findIndex((own) => own.machine === machine)
      if (at >= 0) offers.splice(at, 1)
    },
  }
}

type Promising = {
  /** Looks at an offer; false where what is known of it is new. */
  readonly glance: (offer: Offer) => boolean
  readonly finalists: number
}

/**
 * So many offers that seem to be worth most for what they cost. The offers stand in that order, as
 * far as is known; one that turns out to be worth less goes back to where it belongs.
 */
function mostPromising(offers: Offer[], { glance, finalists }: Promising): readonly Offer[] {
  let found = 0
  while (found < finalists) {
    const own = offers[found]
    if (own === undefined || own.perUsd === 0) break
    if (!glance(own)) {
      found += 1
      continue
    }
    let at = found
    for (let next = offers[at + 1]; next !== undefined; next = offers[at + 1]) {
      if (comesFirst(own, next)) break
      offers[at] = next
      at += 1
    }
    offers[at] = own
  }
  return offers.slice(0, found)
}

const comesFirst = (a: Offer, b: Offer): boolean =>
  a.perUsd > b.perUsd || (a.perUsd === b.perUsd && a.machine < b.machine)

type Found = Pattern & { readonly perUsd: number }
type Looking = GreedyOptions & { readonly counts: Int32Array }

/** Fills an offer as well as can be, with what is in `counts`; only better ones are of interest. */
function makeLook(
  { shapes, machines }: PackingProblem,
  looking: Looking,
): (offer: Offer, abovePerUsd: number) => Found | undefined {
  const { worth, width, counts, replicasMax = Infinity } = looking
  const groups = groupsApart(shapes)
  return (offer, abovePerUsd) => {
    const { machine, priceUsdPerHour } = offer
    const limits = { width, above: abovePerUsd * priceUsdPerHour, others: 0, cells: 0 }
    const filler = (offer.filler ??= makeMachineFiller(
      shapes,
      must(machines[machine], 'a machine'),
    ))
    let found = filler({ worth, counts }, limits)
    const excess = groups.flatMap((group) => excessOf(group, found.counts, worth))
    if (excess.length > 0) {
      for (const i of excess) counts[i] = 0
      found = filler({ worth, counts }, limits)
    }
    if (found.counts === undefined) return undefined
    const missed = trim(found.counts, { worth, replicasMax })
    const perUsd = (found.worth - missed) / priceUsdPerHour
    return perUsd > abovePerUsd ? { machine, counts: found.counts, perUsd } : undefined
  }
}

type Trim = { readonly worth: Float64Array; readonly replicasMax: number }

/** Takes the replicas out that are too many, those worth least first; what they were worth. */
function trim(counts: Int32Array | undefined, { worth, replicasMax }: Trim): number {
  if (counts === undefined || replicasMax === Infinity) return 0
  let excess = counts.reduce((sum, own) => sum + own, 0) - replicasMax
  let missed = 0
  while (excess > 0) {
    let least = -1
    counts.forEach((count, i) => {
      if (count > 0 && (least < 0 || (worth[i] ?? 0) < (worth[least] ?? 0))) least = i
    })
    const taken = Math.min(excess, counts[least] ?? excess)
    counts[least] = (counts[least] ?? 0) - taken
    missed += taken * (worth[least] ?? 0)
    excess -= taken
  }
  return missed
}

/** Shapes of which one machine takes one replica in all. */
function groupsApart(shapes: PackingProblem['shapes']): readonly (readonly number[])[] {
  const groups = groupBy([...shapes.keys()], (i) => shapes[i]?.apart)
  return [...groups].flatMap(([apart, own]) => (apart === undefined || own.length < 2 ? [] : [own]))
}

/** All of the group but the one that is worth most, where a filling has more than one of it. */
function excessOf(
  group: readonly number[],
  counts: Int32Array | undefined,
  worth: Float64Array,
): readonly number[] {
  const there = group.filter((i) => (counts?.[i] ?? 0) > 0)
  if (there.length < 2) return []
  const kept = there.reduce((a, b) => ((worth[b] ?? 0) > (worth[a] ?? 0) ? b : a))
  return group.filter((i) => i !== kept)
}

/** How often there are replicas for the whole pattern. */
export function timesOf({ counts }: Pattern, left: Int32Array): number {
  let times = Infinity
  counts.forEach((count, i) => {
    if (count > 0) times = Math.min(times, Math.floor((left[i] ?? 0) / count))
  })
  return times
}
