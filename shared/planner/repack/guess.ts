/**
 * Roughly what doing without some nodes would cost, a hundred times quicker than a trial.
 *
 * Their work goes where it leaves least room over, as `place` puts it, or else onto machines that
 * are filled greedily; or into room that another replica leaves, which goes elsewhere. Shapes,
 * room, prices and risk are all that is looked at: a guess knows of no topology, storms or quotas,
 * and only says which groups are worth a trial.
 */
import { must } from '../../base/assert.ts'
import { onceFor } from '../../base/remembered.ts'
import type { Node } from '../../model/node.ts'
import { makeBoard } from '../place/board.ts'
import { sortNamed } from '../bound.ts'
import type { Draft } from '../fold.ts'
import { packGreedily, worthAlone } from '../packing/greedy.ts'
import { mostAlone, type PackingProblem, type Shape } from '../packing/problem.ts'
import type { Snapshot } from '../snapshot.ts'
import {
  bestAside,
  close,
  house,
  roomIn,
  shapeAt,
  type Aside,
  type Lodger,
  type Room,
} from './room.ts'
import type { WorkOn } from './worth.ts'

export type Guess = {
  /**
   * USD an hour of what would have to be bought for their work: nothing where it all fits into room
   * that is there, Infinity where it has no place that is known.
   */
  costWithout(retire: readonly Node[]): number
  /** True where nothing would have to be bought. */
  hasRoomFor(retire: readonly Node[]): boolean
  /**
   * Who would have to move aside so that all of the node's work finds room; undefined where all
   * of it has room already, or one alone does not make enough.
   */
  asideFor(node: Node, mayShift: (node: string) => boolean): Aside | undefined
  /** From here on the room is as in this draft. */
  keep(draft: Draft): void
}

export type GuessContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  /** What is to be carried, and what may be bought for it. */
  readonly problem: PackingProblem
  /** By shape: USD an hour. */
  readonly worth: Float64Array
  readonly workOn: WorkOn
  /** What may be bought in place of the nodes. */
  readonly sortsFor: (retire: readonly Node[]) => Sorts
}

/** `<instance type> <capacity type>` of machines. */
export type Sorts = ReadonlySet<string>

/** Fillings that go on at a time, and machines that are filled in earnest. */
const FILL = { width: 2, finalists: 2 }

export function openGuess(context: GuessContext): Guess {
  const { snapshot, problem } = context
  const toBuy = withoutGuests(problem)
  const open = onceFor((sorts: Sorts): PackingProblem => {
    const machines = toBuy.machines.filter((own) => sorts.has(sortNamed(own.name)))
    return { ...toBuy, machines }
  })
  const alone = onceFor(worthAlone)
  const priceAlone = onceFor(pricesAlone)
  const costs = onceFor((_: PackingProblem) => new Map<string, number>())
  /** Much the same is asked again and again: nodes are alike. */
  const cheapest = (asked: PackingProblem, over: Int32Array): number => {
    const [known, key] = [costs(asked), over.join(' ')]
    const cost =
      known.get(key) ??
      Math.min(costOf(asked, over, context.worth), costOf(asked, over, alone(toBuy)))
    known.set(key, cost)
    return cost
  }
  const roomOf = (draft: Draft): Room => {
    const { slots } = makeBoard(snapshot, draft, [])
    return roomIn(
      slots.filter((own) => own.ready),
      problem,
    )
  }
  let room = roomOf(context.draft)
  let lodgers: readonly Lodger[] | undefined
  const byWorth = (a: number, b: number): number => worthAt(context, b) - worthAt(context, a)
  /** The room without the nodes, once what has room elsewhere is there; and what has none. */
  const rehoused = (retire: readonly Node[], work: readonly number[]): Rehoused => {
    const { cpu, memory, devices } = room
    const left = { ...room, cpu: cpu.slice(), memory: memory.slice(), devices: [...devices] }
    for (const { name } of retire) close(left, name)
    const over = work.toSorted(byWorth).filter((i) => !house(left, shapeAt(problem, i)))
    return { left, over }
  }
  const countsOf = (shapes: readonly number[]): Int32Array => {
    const counts = new Int32Array(problem.shapes.length)
    for (const i of shapes) counts[i] = (counts[i] ?? 0) + 1
    return counts
  }
  const workOf = (retire: readonly Node[]): readonly number[] | undefined => {
    const work = retire.map((node) => context.workOn(node))
    return work.every((own) => own.isWhole) ? work.flatMap((own) => own.shapes) : undefined
  }
  return {
    costWithout: (retire) => {
      const work = workOf(retire)
      if (work === undefined) return Infinity
      return cheapest(open(context.sortsFor(retire)), countsOf(rehoused(retire, work).over))
    },
    hasRoomFor: (retire) => {
      const work = workOf(retire)
      return work !== undefined && rehoused(retire, work).over.length === 0
    },
    asideFor: (node, mayShift) => {
      const work = workOf([node])
      if (work === undefined) return undefined
      const { left, over } = rehoused([node], work)
      const [lacks, more] = over
      if (lacks === undefined || more !== undefined) return undefined
      lodgers ??= lodgersOf(context)
      const prices = priceAlone(open(context.sortsFor([node])))
      return bestAside(left, shapeAt(problem, lacks), { lodgers, mayShift, alone: prices })
    },
    keep: (draft) => {
      room = roomOf(draft)
    },
  }
}

/** By shape: USD an hour of the cheapest machine that holds one; Infinity where none does. */
function pricesAlone({ shapes, machines }: PackingProblem): Float64Array {
  return Float64Array.from(shapes, (shape) => {
    const holds = machines.filter((own) => mostAlone(shape, own) > 0)
    return Math.min(...holds.map((own) => own.priceUsdPerHour))
  })
}

/** Work without a GPU is bought a machine without one, where one holds it. */
function withoutGuests({ shapes, machines }: PackingProblem): PackingProblem {
  const plain = machines.filter((own) => own.gpus === 0)
  const guest = (shape: Shape): Shape => {
    const holds = plain.filter((own) => mostAlone(shape, own) > 0)
    return holds.length === 0 ? shape : { ...shape, takes: new Set(holds.map((own) => own.name)) }
  }
  return { shapes: shapes.map((own) => (own.gpuMilli === 0 ? guest(own) : own)), machines }
}

type Rehoused = { readonly left: Room; readonly over: readonly number[] }

const worthAt = ({ worth }: GuessContext, shape: number): number => worth[shape] ?? 0

/** Replicas where they are, as far as all is known of what is there. */
function lodgersOf({ draft, problem, workOn }: GuessContext): readonly Lodger[] {
  return [...draft.nodes.values()].flatMap((node) => {
    const { shapes, isWhole } = workOn(node)
    const replicas = draft.assignments.get(node.name)?.replicas ?? []
    if (!isWhole) return []
    return replicas.flatMap((bound, i): Lodger[] => {
      const index = shapes[i]
      return index === undefined ? [] : [{ ...shapeAt(problem, index), node: node.name, bound }]
    })
  })
}

/** USD an hour of the machines that are bought for so many of each shape. */
function costOf(
  { shapes, machines }: PackingProblem,
  counts: Int32Array,
  worth: Float64Array,
): number {
  const some = [...counts.keys()].filter((i) => (counts[i] ?? 0) > 0)
  const rest = some.map((i): Shape => ({ ...must(shapes[i], 'a shape'), count: counts[i] ?? 0 }))
  if (!rest.every((shape) => machines.some((own) => mostAlone(shape, own) > 0))) return Infinity
  const prices = Float64Array.from(some, (i) => Math.max(LEAST_WORTH, worth[i] ?? 0))
  return packGreedily({ shapes: rest, machines }, { worth: prices, ...FILL }).costUsdPerHour
}

/** What is worth nothing is bought for all the same. */
const LEAST_WORTH = 1e-6
