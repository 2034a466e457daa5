/**
 * Packing by trying everything: far too slow for anything but a handful of replicas, and right.
 */
import type { MachineType, PackingProblem, Shape } from '#shared/planner/packing/problem.ts'

/** True when the machine takes and holds so many of each shape, shares on single devices. */
export function fits(
  counts: ArrayLike<number>,
  shapes: readonly Shape[],
  machine: MachineType,
): boolean {
  let [cpuMilli, memoryMib] = [0, 0]
  const gpus: number[] = []
  const isWelcome = shapes.every(({ takes, mostPerMachine = Infinity }, i) => {
    const count = counts[i] ?? 0
    return count === 0 || (count <= mostPerMachine && (takes?.has(machine.name) ?? true))
  })
  if (!isWelcome) return false
  shapes.forEach((shape, i) => {
    const count = counts[i] ?? 0
    cpuMilli += count * shape.cpuMilli
    memoryMib += count * shape.memoryMib
    for (let n = 0; n < count && shape.gpuMilli > 0; n += 1) gpus.push(shape.gpuMilli)
  })
  if (cpuMilli > machine.cpuMilli || memoryMib > machine.memoryMib) return false
  return fitsDevices(gpus, Array<number>(machine.gpus).fill(1000))
}

function fitsDevices([first, ...rest]: readonly number[], devices: readonly number[]): boolean {
  if (first === undefined) return true
  if (first >= 1000) {
    const whole = devices.filter((own) => own === 1000).length
    if (whole * 1000 < first) return false
    const others = devices.filter((own) => own < 1000)
    const left = Array<number>(whole - first / 1000).fill(1000)
    return fitsDevices(rest, [...others, ...left])
  }
  return devices.some((own, i) => own >= first && fitsDevices(rest, devices.with(i, own - first)))
}

/** The fewest devices that hold these shares. */
export function fewestDevices(shares: readonly number[]): number {
  let devices = 0
  while (!fitsDevices(shares, Array<number>(devices).fill(1000))) devices += 1
  return devices
}

/** The most that a filling can be worth. */
export function mostByTrying(
  shapes: readonly Shape[],
  machine: MachineType,
  worth: Float64Array,
): number {
  let most = 0
  for (const counts of allCounts(shapes)) {
    if (!fits(counts, shapes, machine)) continue
    most = Math.max(
      most,
      counts.reduce((sum, count, i) => sum + count * (worth[i] ?? 0), 0),
    )
  }
  return most
}

/** USD an hour of the cheapest packing there is. */
export function cheapestByTrying({ shapes, machines }: PackingProblem): number {
  const fillings = [...allCounts(shapes)].flatMap((counts) => {
    const prices = machines
      .filter((own) => counts.some((count) => count > 0) && fits(counts, shapes, own))
      .map((own) => own.priceUsdPerHour)
    return prices.length === 0 ? [] : { counts, price: Math.min(...prices) }
  })
  const known = new Map<string, number>()
  const cheapest = (left: readonly number[]): number => {
    if (left.every((count) => count === 0)) return 0
    const name = left.join()
    const before = known.get(name)
    if (before !== undefined) return before
    let best = Infinity
    for (const { counts, price } of fillings) {
      if (counts.some((count, i) => count > (left[i] ?? 0))) continue
      best = Math.min(best, price + cheapest(left.map((count, i) => count - (counts[i] ?? 0))))
    }
    known.set(name, best)
    return best
  }
  return cheapest(shapes.map((own) => own.count))
}

function* allCounts([shape, ...rest]: readonly Shape[]): Iterable<readonly number[]> {
  if (shape === undefined) {
    yield []
    return
  }
  for (let count = 0; count <= shape.count; count += 1) {
    for (const others of allCounts(rest)) yield [count, ...others]
  }
}
