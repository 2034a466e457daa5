/**
 * The room that is free in a herd, as guesses see it: numbers, and who may be where.
 */
import { must } from '../../base/assert.ts'
import type { BoundReplica } from '../../model/assignment.ts'
import type { RepackShift } from '../../model/repack.ts'
import { machineName } from '../bound.ts'
import type { PackingProblem, Shape } from '../packing/problem.ts'
import type { Slot } from '../place/board.ts'
import { hasFreeDevice, takeDevices, withoutShares } from '../place/devices.ts'

/** A shape, with its place among those of the problem. */
export type Indexed = { readonly shape: Shape; readonly index: number }

export function shapeAt({ shapes }: PackingProblem, index: number): Indexed {
  return { shape: must(shapes[index], 'a shape'), index }
}

/** What is free on each node. */
export type Room = {
  readonly placeOf: ReadonlyMap<string, number>
  readonly cpu: Float64Array
  readonly memory: Float64Array
  readonly devices: (readonly number[])[]
  /** By shape: 1 where the node takes it. */
  readonly isOpen: readonly Uint8Array[]
}

export function roomIn(slots: readonly Slot[], { shapes }: PackingProblem): Room {
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

/** Nothing finds room there any more. */
export function close({ placeOf, cpu }: Room, node: string): void {
  const i = placeOf.get(node)
  if (i !== undefined) cpu[i] = -1
}

/** Puts a replica where it leaves the least processor over; false where it finds no room. */
export function house(room: Room, asked: Indexed): boolean {
  const { cpu, memory, devices } = room
  const { cpuMilli, memoryMib, gpuMilli } = asked.shape
  const place = placeFor(room, asked)
  if (place === NOWHERE) return false
  cpu[place] = (cpu[place] as number) - cpuMilli
  memory[place] = (memory[place] as number) - memoryMib
  if (gpuMilli === 0) return true
  const free = devices[place] ?? []
  devices[place] = withoutShares(free, takeDevices(free, gpuMilli) ?? [])
  return true
}

const NOWHERE = -1

/** The place of a node, or nowhere. */
function placeFor(room: Room, asked: Indexed, except = NOWHERE): number {
  const { cpu } = room
  const { cpuMilli } = asked.shape
  let [best, least] = [NOWHERE, Infinity]
  for (let i = 0; i < cpu.length; i += 1) {
    const left = (cpu[i] as number) - cpuMilli
    if (left < 0 || left >= least || i === except || !fits(room, asked, i)) continue
    best = i
    least = left
  }
  return best
}

/** All but its processors. */
function fits({ memory, devices, isOpen }: Room, { shape, index }: Indexed, at: number): boolean {
  if (isOpen[index]?.[at] === 0) return false
  return hasRoom(shape, { memory: memory[at] as number, free: devices[at] ?? [] })
}

type Free = { readonly memory: number; readonly free: readonly number[] }

function hasRoom({ memoryMib, gpuMilli }: Shape, { memory, free }: Free): boolean {
  if (memory < memoryMib) return false
  return gpuMilli > 0 ? takeDevices(free, gpuMilli) !== undefined : !hasFreeDevice(free)
}

/** A replica where it is now. */
export type Lodger = Indexed & {
  readonly node: string
  readonly bound: BoundReplica
}

type Shiftable = {
  readonly lodgers: readonly Lodger[]
  readonly mayShift: (node: string) => boolean
  /** By shape: USD an hour of a machine for one. */
  readonly alone: Float64Array
}

/** Somebody moves aside, into room that is there or onto a machine that is bought. */
export type Aside = { readonly shift: RepackShift; readonly launchUsdPerHour: number }

/**
 * Of those in whose place there would be room, the one for whom least is to be bought; of those,
 * the one that leaves the least processor over.
 */
export function bestAside(
  room: Room,
  lacking: Indexed,
  { lodgers, mayShift, alone }: Shiftable,
): Aside | undefined {
  const places = new Map<number, number>()
  const hasElsewhere = (lodger: Lodger, place: number): boolean => {
    const found = places.get(lodger.index) ?? placeFor(room, lodger)
    places.set(lodger.index, found)
    if (found !== place) return found !== NOWHERE
    return placeFor(room, lodger, place) !== NOWHERE
  }
  let best: Lodger | undefined
  // A machine for who moves aside is of use only where one for who lacks room would cost more.
  let [least, cheapest] = [0, alone[lacking.index] ?? Infinity]
  for (const lodger of lodgers) {
    const place = room.placeOf.get(lodger.node)
    if (place === undefined) continue
    const left = (room.cpu[place] as number) + lodger.shape.cpuMilli - lacking.shape.cpuMilli
    if (left < 0 || (cheapest === 0 && left >= least) || !mayShift(lodger.node)) continue
    if (!fitsInPlaceOf(room, lacking, { lodger, place })) continue
    const cost = hasElsewhere(lodger, place) ? 0 : (alone[lodger.index] ?? Infinity)
    if (cost > cheapest || (cost === cheapest && left >= least)) continue
    best = lodger
    cheapest = cost
    least = left
  }
  if (best === undefined) return undefined
  return { shift: { node: best.node, replica: best.bound.id }, launchUsdPerHour: cheapest }
}

type Lodging = { readonly lodger: Lodger; readonly place: number }

function fitsInPlaceOf(room: Room, asked: Indexed, { lodger, place }: Lodging): boolean {
  if (room.isOpen[asked.index]?.[place] === 0) return false
  const free = [...(room.devices[place] ?? [])]
  for (const { index, milli } of lodger.bound.gpus) free[index] = (free[index] ?? 0) + milli
  const memory = (room.memory[place] as number) + lodger.shape.memoryMib
  return hasRoom(asked.shape, { memory, free })
}
