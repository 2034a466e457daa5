/**
 * Amounts beside what they are a part of: `1.5/3.5`, `2/7.5Gi`.
 */
import { parseMib, parseMilli } from '#shared/model/quantities.ts'
import type { Quantities } from '#shared/protocol/api.ts'

/** `0.5`, `3.5`, `16`: CPUs or devices, at most two digits after the point. */
export function formatUnits(quantity: string): string {
  const milli = parseMilli(quantity)
  return milli === undefined ? quantity : String(Math.round(milli / 10) / 100)
}

/** `512Mi`, `7.6Gi` */
export function formatBytes(quantity: string): string {
  const mib = parseMib(quantity)
  if (mib === undefined) return quantity
  if (mib < 1024) return mib === 0 ? '0' : `${String(mib)}Mi`
  return `${String(Math.round((mib / 1024) * 10) / 10)}Gi`
}

export const cpuShare = (used: Quantities, of: Quantities | undefined): string =>
  share(formatUnits(used.cpu), of && formatUnits(of.cpu))

export const memoryShare = (used: Quantities, of: Quantities | undefined): string =>
  share(formatBytes(used.memory), of && formatBytes(of.memory))

/** Empty on a machine without devices, so that a herd without GPUs has no such column. */
export function gpuShare(used: Quantities, of: Quantities | undefined): string {
  const [own, all] = [formatUnits(used.gpu), of && formatUnits(of.gpu)]
  return own === '0' && (all ?? '0') === '0' ? '' : share(own, all)
}

const share = (used: string, of: string | undefined): string =>
  of === undefined ? used : `${used}/${of}`

/** `cpu 2, memory 4Gi`: the amounts that are not nothing. */
export function formatAmounts(
  amounts: Readonly<Record<string, string | number | undefined>>,
): string {
  return Object.entries(amounts)
    .filter(([, amount]) => amount !== undefined && String(amount) !== '0')
    .map(([name, amount]) => `${name} ${String(amount)}`)
    .join(', ')
}
