/**
 * Roughly what doing without some nodes would cost, a hundred times quicker than a trial.
 *
 * Their work goes where it leaves least room over, as `place` puts it, or else onto machines that
 * are filled greedily. Shapes, room, prices and risk are all that is looked at: a guess knows of no
 * topology, storms or quotas, and only says which groups are worth a trial.
 */
import { must } from '../../base/assert.ts'
import { onceFor } from '../../base/remembered.ts'
import type { Node } from '../../model/node.ts'
import { makeBoard, type Slot } from '../place/board.ts'
import { machineName, sortNamed } from '../bound.ts'
import { hasFreeDevice, takeDevices, withoutShares } from '../place/devices.ts'
import type { Draft } from '../fold.ts'
import { packGreedily, worthAlone } from '../packing/greedy.ts'
import { mostAlone, type PackingProblem, type Shape } from '../packing/problem.ts'
import type { Snapshot } from '../snapshot.ts'
import type { WorkOn } from './worth.ts'

export type Guess = {
  /**
   * USD an hour of what would have to be bought for their work: nothing where it all fits into room
   * that is there, Infinity where it has no place that is known.
   */
  costWithout(retire: readonly Node[]): number
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
  const byWorth = (a: number, b: number): number => worthAt(context, b) - worthAt(context, a)
  /** How many of each shape find no room elsewhere. */
  const overOf = (retire: readonly Node[], work: readonly number[]): Int32Array => {
    const { cpu, memory, devices } = room
    const left = { ...room, cpu: cpu.slice(), memory: memory.slice(), devices: [...devices] }
    for (const { name } of retire) {
      const i = room.placeOf.get(name)
      if (i !== undefined) left.cpu[i] = -1
    }
    const over = new Int32Array(problem.shapes.length)
    for (const i of work.toSorted(byWorth)) {
      if (!house(left, must(problem.shapes[i], 'a shape'), i)) over[i] = (over[i] ?? 0) + 1
    }
    return over
  }
  const workOf = (retire: readonly Node[]): readonly number[] | undefined => {
    const work = retire.map((node) => context.workOn(node))
    return work.every((own) => own.isWhole) ? work.flatMap((own) => own.shapes) : undefined
  }
  return {
    costWithout: (retire) => {
      const work = workOf(retire)
      if (work === undefined) return Infinity
      return cheapest(open(context.sortsFor(retire)), overOf(retire, work))
    },
    keep: (draft) => {
      room = roomOf(draft)
    },
  }
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

const worthAt = ({ worth }: GuessContext, shape: number): number => worth[shape] ?? 0

/** What is free on each node. */
type Room = {
  readonly placeOf: ReadonlyMap<string, number>
  readonly cpu: Float64Array
  readonly memory: Float64Array
  readonly devices: (readonly number[])[]
  /** By shape: 1 where the node takes it. */
  readonly isOpen: readonly Uint8Array[]
}

function roomIn(slots: readonly Slot[], { shapes }: PackingProblem): Room {
  const machines = slots.map(({ types: [type], pool, capacityType }) =>
    type === undefined ? '' : machineName({ pool, type, capacityType }),
  )
  return {
    placeOf: new Map(slots.map(({ node }, i) => [node, i])),
    cpu: Float64Array.from(slots, (own) => own.freeCpuMilli),
    memory: Float64Array.from(slots, (own) => own.freeMemoryMib),
    devices: slots.map((own) => own.freeDevices),
    isOpen: shapes.map(({ takes }) =>
      Uint8Array.from(machines, (own) => (takes?.has(own) === false ? 0 : 1)),
    ),
  }
}

/** Puts a replica where it leaves the least processor over; false where it finds no room. */
function house(room: Room, shape: Shape, index: number): boolean {
  const { cpuMilli, memoryMib, gpuMilli } = shape
  const { cpu, memory, devices } = room
  const isOpen = must(room.isOpen[index], 'the machines of a shape')
  let [best, least] = [-1, Infinity]
  for (let i = 0; i < cpu.length; i += 1) {
    const left = (cpu[i] as number) - cpuMilli
    if (left < 0 || left >= least || (memory[i] as number) < memoryMib || isOpen[i] === 0) continue
    const free = devices[i] ?? []
    if (gpuMilli > 0 ? takeDevices(free, gpuMilli) === undefined : hasFreeDevice(free)) continue
    best = i
    least = left
  }
  if (best < 0) return false
  cpu[best] = least
  memory[best] = (memory[best] as number) - memoryMib
  if (gpuMilli === 0) return true
  const free = devices[best] ?? []
  devices[best] = withoutShares(free, takeDevices(free, gpuMilli) ?? [])
  return true
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
