/**
 * Packing as arithmetic: replicas that need a place, and machines that could be bought for them.
 *
 * Equal replicas are one shape with a count, so the work grows with shapes and machine types and
 * never with replicas. A pattern is what one machine carries; a packing says how many machines of
 * which pattern to buy. Prices are USD an hour throughout.
 */
import { assert } from '../../base/assert.ts'

/** What one replica needs; `gpuMilli` is a part of one device, or a multiple of 1000. */
export type Shape = {
  readonly cpuMilli: number
  readonly memoryMib: number
  readonly gpuMilli: number
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

/** The resources that are counted in all, each as a number of a shape and of a machine. */
export const RESOURCES: readonly {
  readonly need: (shape: Shape) => number
  readonly room: (machine: MachineType) => number
}[] = [
  { need: (own) => own.cpuMilli, room: (own) => own.cpuMilli },
  { need: (own) => own.memoryMib, room: (own) => own.memoryMib },
  { need: (own) => own.gpuMilli, room: (own) => own.gpus * 1000 },
]

/** Replicas of the shape that one machine may carry when it carries nothing else. */
export function mostAlone(shape: Shape, machine: MachineType): number {
  const { cpuMilli, memoryMib, gpuMilli, mostPerMachine = Infinity, takes } = shape
  if (takes !== undefined && !takes.has(machine.name)) return 0
  return Math.min(
    mostPerMachine,
    cpuMilli === 0 ? Infinity : Math.floor(machine.cpuMilli / cpuMilli),
    memoryMib === 0 ? Infinity : Math.floor(machine.memoryMib / memoryMib),
    gpuMilli === 0 ? Infinity : devicesFor(machine.gpus, gpuMilli),
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
  const isOpen = machines.map(({ name }) => sorts.map((takes) => takes?.has(name) ?? true))
  const takesAll = (i: number, j: number): boolean =>
    sorts.every((_, k) => isOpen[j]?.[k] === false || isOpen[i]?.[k] === true)
  const beats = (i: number, j: number): boolean => {
    const [a, b] = [machines[i], machines[j]]
    return i !== j && a !== undefined && b !== undefined && isBetter(a, b) && takesAll(i, j)
  }
  // Of two that beat each other, which are alike in everything, the first one stays.
  return machines.filter((_, j) => !machines.some((_, i) => beats(i, j) && (i < j || !beats(j, i))))
}

/** Gives at least as much for at most the price. */
function isBetter(a: MachineType, b: MachineType): boolean {
  return a.priceUsdPerHour <= b.priceUsdPerHour && RESOURCES.every(({ room }) => room(a) >= room(b))
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
