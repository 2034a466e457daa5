/**
 * Quantities as Kubernetes writes them (`500m`, `1Gi`), and as drover counts them.
 *
 * Specs keep what the person wrote; the planner counts in whole milli-CPU, MiB and milli-GPU, so
 * sums are exact. Memory rounds up: a replica never gets less than it asked for.
 * Source: Kubernetes' resource.Quantity (binary and decimal suffixes).
 */
import { z } from 'zod'
import { LIMITS } from './limits.ts'

/** A request, a capacity or a sum of either, in whole units. */
export type Resources = {
  readonly cpuMilli: number
  readonly memoryMib: number
  /** 1000 a device. */
  readonly gpuMilli: number
  readonly diskMib: number
}

export const NOTHING: Resources = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0, diskMib: 0 }

export function addResources(a: Resources, b: Resources): Resources {
  return {
    cpuMilli: a.cpuMilli + b.cpuMilli,
    memoryMib: a.memoryMib + b.memoryMib,
    gpuMilli: a.gpuMilli + b.gpuMilli,
    diskMib: a.diskMib + b.diskMib,
  }
}

export function subtractResources(a: Resources, b: Resources): Resources {
  return addResources(a, scaleResources(b, -1))
}

export function scaleResources(a: Resources, factor: number): Resources {
  return {
    cpuMilli: a.cpuMilli * factor,
    memoryMib: a.memoryMib * factor,
    gpuMilli: a.gpuMilli * factor,
    diskMib: a.diskMib * factor,
  }
}

const CPU = /^(\d+(?:\.\d+)?)(m?)$/
const MEMORY = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?$/
const BYTES: Readonly<Record<string, number>> = {
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
}

/** `2`, `"1.5"` or `"500m"` in thousandths; undefined when it is none of these. */
export function parseMilli(quantity: string | number): number | undefined {
  const match = CPU.exec(String(quantity))
  if (match === null) return undefined
  const milli = Number(match[1]) * (match[2] === 'm' ? 1 : 1000)
  const whole = Math.round(milli)
  return Number.isSafeInteger(whole) && Math.abs(milli - whole) < 1e-6 ? whole : undefined
}

/** `"512Mi"`, `"1Gi"` or plain bytes in MiB, rounded up; undefined when it is none of these. */
export function parseMib(quantity: string | number): number | undefined {
  const match = MEMORY.exec(String(quantity))
  if (match === null) return undefined
  const mib = Math.ceil((Number(match[1]) * (BYTES[match[2] ?? ''] ?? 1)) / 2 ** 20)
  return Number.isSafeInteger(mib) ? mib : undefined
}

export const cpuQuantity = z
  .union([z.string(), z.number()])
  .refine((value) => parseMilli(value) !== undefined, {
    error: 'must be CPUs, like 2, 0.5 or 500m',
  })
  .meta({ id: 'CpuQuantity', description: 'CPUs: 2, 0.5 or 500m', examples: ['500m', 2] })

export const memoryQuantity = z
  .union([z.string(), z.number()])
  .refine((value) => parseMib(value) !== undefined, {
    error: 'must be bytes, like 512Mi, 1Gi or 1000000000',
  })
  .meta({ id: 'MemoryQuantity', description: 'bytes: 512Mi, 1Gi', examples: ['1Gi'] })

export const gpuQuantity = z
  .union([z.string(), z.number()])
  .refine(
    (value) => {
      const milli = parseMilli(value)
      return milli !== undefined && (milli < 1000 || milli % 1000 === 0)
    },
    { error: 'must be whole devices, like 2, or a part of one, like 500m' },
  )
  .meta({ id: 'GpuQuantity', description: 'whole devices (2) or a part of one (500m)' })

/** A number that a person or a program may name. */
export const amountSchema = z.number().min(-LIMITS.amountMax).max(LIMITS.amountMax)

/** A count or a share: `2` or `"25%"`; of what, the field says. */
export const countOrPercent = z
  .union([
    z.int().min(0),
    z.string().regex(/^(100|\d{1,2})%$/, { error: 'must be a count, or 0% to 100%' }),
  ])
  .meta({ id: 'CountOrPercent', description: 'a count (2) or a share (25%)' })

export type CountOrPercent = number | string

/** What a count or a share means of `total`, rounded as the caller says. */
export function countOf(
  value: CountOrPercent,
  { total, round }: { total: number; round: 'up' | 'down' },
): number {
  if (typeof value === 'number') return value
  const exact = (Number(value.slice(0, -1)) * total) / 100
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact)
}

/** `500m`, `2`: how a person would write it. */
export function formatMilli(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${String(milli)}m`
}

/** `512Mi`, `1.5Gi`: how a person would write it. */
export function formatMib(mib: number): string {
  if (mib < 1024) return `${String(mib)}Mi`
  const gib = mib / 1024
  return `${Number.isInteger(gib) ? String(gib) : gib.toFixed(1)}Gi`
}
