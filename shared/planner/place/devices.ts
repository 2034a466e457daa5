/**
 * GPU devices on one node: whole ones, or a part of one.
 *
 * A fraction goes onto the device with the least room that still holds it, so whole devices stay
 * whole for those who need them. Room is in thousandths of a device, one number a device; less than
 * nothing where more is promised than is there.
 */
import type { GpuShare } from '../../model/assignment.ts'

/**
 * How many replicas asking for `needMilli` the devices hold; Infinity for those asking for none.
 */
export function deviceFit(freeMilli: readonly number[], needMilli: number): number {
  if (needMilli === 0) return Infinity
  if (needMilli >= 1000) {
    return Math.floor(freeMilli.filter((free) => free === 1000).length / (needMilli / 1000))
  }
  return freeMilli.reduce((sum, free) => sum + Math.max(0, Math.floor(free / needMilli)), 0)
}

/** The devices one replica gets, or undefined when they do not hold it. */
export function takeDevices(
  freeMilli: readonly number[],
  needMilli: number,
): readonly GpuShare[] | undefined {
  if (needMilli === 0) return []
  if (needMilli >= 1000) {
    const whole = freeMilli.flatMap((free, index) => (free === 1000 ? [index] : []))
    const count = needMilli / 1000
    if (whole.length < count) return undefined
    return whole.slice(0, count).map((index) => ({ index, milli: 1000 }))
  }
  let best: { index: number; free: number } | undefined
  freeMilli.forEach((free, index) => {
    if (free >= needMilli && (best === undefined || free < best.free)) best = { index, free }
  })
  return best === undefined ? undefined : [{ index: best.index, milli: needMilli }]
}

/** What is left on the devices once the shares are taken. */
export function withoutShares(
  freeMilli: readonly number[],
  shares: readonly GpuShare[],
): readonly number[] {
  const left = [...freeMilli]
  for (const { index, milli } of shares) left[index] = (left[index] ?? 0) - milli
  return left
}

/** What is left on the devices once so many replicas have theirs. */
export function afterTaking(
  freeMilli: readonly number[],
  { needMilli, count }: { readonly needMilli: number; readonly count: number },
): readonly number[] {
  let left = freeMilli
  for (let n = 0; n < count && needMilli > 0; n += 1) {
    left = withoutShares(left, takeDevices(left, needMilli) ?? [])
  }
  return left
}

/** True when a device, or a part of one, is not taken; in milli of each. */
export function hasFreeDevice(free: readonly number[]): boolean {
  return free.some((milli) => milli > 0)
}
