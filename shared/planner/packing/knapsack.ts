/**
 * A machine as a knapsack: the room it has of each resource, and what one replica takes of it.
 *
 * Devices need care where parts of them are asked for: parts that fit in sum need not fit device by
 * device. So they are counted twice: in thousandths, and in halves, where more than a third of a
 * device takes one half and more than two thirds take both. No device holds more than two halves
 * counted like that; a part of 810 is known to leave no room for one of 470.
 *
 * Source: Fekete and Schepers, New classes of fast lower bounds for bin packing problems (2001):
 * dual feasible functions.
 */
import type { MachineType, Shape } from './problem.ts'

/** By resource: processors, memory, devices, and the sum of their parts. */
export const CPU = 0
export const MEMORY = 1
export const GPU = 2
export const PARTS = 3

export type Knapsack = {
  readonly room: readonly number[]
  /** By resource, then by shape. */
  readonly needs: readonly Float64Array[]
}

export function makeKnapsack(shapes: readonly Shape[], machine: MachineType): Knapsack {
  return { room: roomOf(machine, asksForWhole(shapes)), needs: needsOf(shapes) }
}

/** By resource: what the machine has, counted as `needsOf` counts. */
export function roomOf(machine: MachineType, isWhole: boolean): readonly number[] {
  const { cpuMilli, memoryMib, gpus } = machine
  return [cpuMilli, memoryMib, ...(isWhole ? [gpus, 0] : [gpus * 2, gpus * 1000])]
}

/** By resource, then by shape: what one replica takes. */
export function needsOf(shapes: readonly Shape[]): readonly Float64Array[] {
  const isWhole = asksForWhole(shapes)
  const gpu = (own: Shape): number => (isWhole ? own.gpuMilli / 1000 : halvesOf(own.gpuMilli))
  const parts = (own: Shape): number => (isWhole ? 0 : own.gpuMilli)
  return [
    Float64Array.from(shapes, (own) => own.cpuMilli),
    Float64Array.from(shapes, (own) => own.memoryMib),
    Float64Array.from(shapes, gpu),
    Float64Array.from(shapes, parts),
  ]
}

/** No part of a device is asked for. */
export function asksForWhole(shapes: readonly Shape[]): boolean {
  return shapes.every((own) => own.gpuMilli % 1000 === 0)
}

function halvesOf(milli: number): number {
  if (milli >= 1000) return (milli * 2) / 1000
  if (3 * milli > 2000) return 2
  return 3 * milli > 1000 ? 1 : 0
}
