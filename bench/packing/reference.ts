/**
 * First fit decreasing as Karpenter's documentation and design papers describe it, for scale.
 *
 * Replicas, largest first, go to the claim with the fewest that some machine type could still hold
 * with one more; else a new claim is opened. A claim becomes the cheapest type that holds it. This
 * is a reference written from that description, not Karpenter: there is no topology, no weight and
 * no limit, and a pool narrowed by hand to fewer sizes does better.
 */
import { must } from '#shared/base/assert.ts'
import type { MachineType, PackingProblem, Shape } from '#shared/planner/packing/problem.ts'

type Claim = {
  cpuMilli: number
  memoryMib: number
  gpuMilli: number
  replicas: number
  /** Types that still hold it, cheapest first. */
  types: readonly MachineType[]
}

/** USD an hour. */
export function firstFitDecreasing({ shapes, machines }: PackingProblem): number {
  const cheapestFirst = machines.toSorted((a, b) => a.priceUsdPerHour - b.priceUsdPerHour)
  const claims: Claim[] = []
  for (const shape of shapes.toSorted(bySize)) {
    for (let n = 0; n < shape.count; n += 1) {
      claims.sort((a, b) => a.replicas - b.replicas)
      if (claims.some((claim) => holdsOneMore(claim, shape))) continue
      const claim = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0, replicas: 0, types: cheapestFirst }
      must(holdsOneMore(claim, shape) ? claim : undefined, 'a type that holds the replica')
      claims.push(claim)
    }
  }
  return claims.reduce((sum, { types }) => sum + must(types[0], 'a type').priceUsdPerHour, 0)
}

const bySize = (a: Shape, b: Shape): number =>
  b.cpuMilli - a.cpuMilli || b.memoryMib - a.memoryMib || b.gpuMilli - a.gpuMilli

/** Takes the replica in where some type still holds all of it. */
function holdsOneMore(claim: Claim, shape: Shape): boolean {
  const cpuMilli = claim.cpuMilli + shape.cpuMilli
  const memoryMib = claim.memoryMib + shape.memoryMib
  // Whole devices: this reference knows no shares of one.
  const gpuMilli = claim.gpuMilli + Math.ceil(shape.gpuMilli / 1000) * 1000
  const types = claim.types.filter(
    (own) => own.cpuMilli >= cpuMilli && own.memoryMib >= memoryMib && own.gpus * 1000 >= gpuMilli,
  )
  if (types.length === 0) return false
  Object.assign(claim, { cpuMilli, memoryMib, gpuMilli, types, replicas: claim.replicas + 1 })
  return true
}
