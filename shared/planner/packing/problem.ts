/**
 * Packing as arithmetic: replicas that need a place, and machines that could be bought for them.
 *
 * Equal replicas are one shape with a count, so the work grows with shapes and machine types and
 * never with replicas. A pattern is what one machine carries; a packing says how many machines of
 * which pattern to buy. Prices are USD an hour throughout.
 */
import { assert } from '../../base/assert.ts'
import { byKey, descending, inOrder } from '../../base/order.ts'

/** What one replica needs; `gpuMilli` is a part of one device, or a multiple of 1000. */
export type Shape = {
  readonly cpuMilli: number
  readonly memoryMib: number
  readonly gpuMilli: number
  /** Absent: none. Bounds leave it out, as they leave out topology. */
  readonly diskMib?: number
  readonly count: number
  /** The most of them that one machine may carry; absent: as many as it has room for. */
  readonly mostPerMachine?: number
  /** Shapes that name the same group shun each other too: one of them is the most together. */
  readonly apart?: string
  /** Names of the machines that they may run on; absent: any. */
  readonly takes?: ReadonlySet<string>
}

/** What one machine has to give, and costs. */
export type MachineType = {
  readonly name: string
  readonly cpuMilli: number
  readonly memoryMib: number
  /** Absent: more than anybody asks for. */
  readonly diskMib?: number
  /** Devices, each of 1000 milli. */
  readonly gpus: number
  readonly priceUsdPerHour: number
}

export type PackingProblem = {
  readonly shapes: readonly Shape[]
  readonly machines: readonly MachineType[]
}

/** One machine, by its place in the problem, and how many of each shape are on it. */
export type Pattern = { readonly machine: number; readonly counts: Int32Array }

export type Packing = {
  readonly machines: readonly { readonly pattern: Pattern; readonly times: number }[]
  readonly costUsdPerHour: number
}

/** Replicas of the shape that one machine may carry when it carries nothing else. */
export function mostAlone(shape: Shape, machine: MachineType): number {
  const { cpuMilli, memoryMib, gpuMilli, diskMib = 0, mostPerMachine = Infinity, takes } = shape
  if (takes !== undefined && !takes.has(machine.name)) return 0
  return Math.min(
    mostPerMachine,
    cpuMilli === 0 ? Infinity : Math.floor(machine.cpuMilli / cpuMilli),
    memoryMib === 0 ? Infinity : Math.floor(machine.memoryMib / memoryMib),
    gpuMilli === 0 ? Infinity : devicesFor(machine.gpus, gpuMilli),
    diskMib === 0 ? Infinity : Math.floor((machine.diskMib ?? Infinity) / diskMib),
    shape.count,
  )
}

function devicesFor(gpus: number, gpuMilli: number): number {
  return gpuMilli >= 1000
    ? Math.floor((gpus * 1000) / gpuMilli)
    : gpus * Math.floor(1000 / gpuMilli)
}

/**
 * The machines that can be part of a cheapest packing: another one that takes all the same shapes
 * and gives as much of everything for no more money always does instead.
 */
export function undominated({ shapes, machines }: PackingProblem): readonly MachineType[] {
  const sorts = [...new Set(shapes.map((own) => own.takes))]
  const rated = machines.map((own): Rated => {
    const open = sorts.map((takes) => (takes?.has(own.name) === false ? 0 : 1))
    return { own, gives: [own.cpuMilli, own.memoryMib, own.gpus, diskOf(own), ...open] }
  })
  const kept: Rated[] = []
  // In this order whoever beats another one, or is alike and first, comes before it.
  for (const one of rated.toSorted(inOrder(byKey(priceOf), descending(byKey(sumOf))))) {
    if (!kept.some((better) => givesAsMuch(better, one))) kept.push(one)
  }
  const stay = new Set(kept.map(({ own }) => own))
  return machines.filter((own) => stay.has(own))
}

/** A machine with its room and, for each sort of shape, whether it takes that at all. */
type Rated = { readonly own: MachineType; readonly gives: readonly number[] }

const priceOf = ({ own }: Rated): number => own.priceUsdPerHour
const sumOf = ({ gives }: Rated): number => gives.reduce((sum, one) => sum + one, 0)
const diskOf = ({ diskMib = 0 }: MachineType): number => diskMib

function givesAsMuch(a: Rated, b: Rated): boolean {
  for (let k = 0; k < a.gives.length; k += 1) {
    if ((a.gives[k] as number) < (b.gives[k] as number)) return false
  }
  return true
}

export type Alone = { readonly machine: number; readonly most: number; readonly cost: number }

/** The machine on which one replica costs least when only its own kind is on it. */
export function cheapestAlone(shape: Shape, machines: readonly MachineType[]): Alone {
  let best: Alone | undefined
  machines.forEach((own, machine) => {
    const most = mostAlone(shape, own)
    const cost = own.priceUsdPerHour
    if (most > 0 && (best === undefined || cost / most < best.cost / best.most)) {
      best = { machine, most, cost }
    }
  })
  assert(best !== undefined, 'some machine holds each shape', shape)
  return best
}
