/**
 * How much a replica asks for and how much a machine or a pool has: the auditor's own sums.
 */
import { typeByName } from '#shared/catalog/catalog.ts'
import type { GpuShare } from '#shared/model/assignment.ts'
import type { Node } from '#shared/model/node.ts'
import type { PoolItem } from '#shared/model/spec-item.ts'
import { parseMib, parseMilli } from '#shared/model/quantities.ts'
import type { Template } from '#shared/model/version.ts'

export type Amount = {
  readonly cpuMilli: number
  readonly memoryMib: number
  readonly gpuMilli: number
  readonly diskMib: number
}

export const ZERO: Amount = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0, diskMib: 0 }

export const plus = (a: Amount, b: Amount): Amount => ({
  cpuMilli: a.cpuMilli + b.cpuMilli,
  memoryMib: a.memoryMib + b.memoryMib,
  gpuMilli: a.gpuMilli + b.gpuMilli,
  diskMib: a.diskMib + b.diskMib,
})

/** The dimension in which `used` is more than `had`, in words. */
export function excess(used: Amount, had: Amount): string | undefined {
  if (used.cpuMilli > had.cpuMilli) return `cpu ${over(used.cpuMilli, had.cpuMilli)} milli`
  if (used.memoryMib > had.memoryMib) return `memory ${over(used.memoryMib, had.memoryMib)} MiB`
  if (used.gpuMilli > had.gpuMilli) return `gpu ${over(used.gpuMilli, had.gpuMilli)} milli`
  if (used.diskMib > had.diskMib) return `disk ${over(used.diskMib, had.diskMib)} MiB`
  return undefined
}

const over = (used: number, had: number): string => `${String(used)} of ${String(had)}`

type Asks = Pick<Template, 'resources' | 'data'>

const needs = new WeakMap<Asks, Amount>()

export function needOf(template: Asks): Amount {
  const known = needs.get(template)
  if (known !== undefined) return known
  const { cpu, memory, gpu, disk = '0' } = template.resources
  const need = {
    cpuMilli: parseMilli(cpu) ?? 0,
    memoryMib: parseMib(memory) ?? 0,
    gpuMilli: parseMilli(gpu) ?? 0,
    // Two versions of data must fit beside each other.
    diskMib: (parseMib(disk) ?? 0) * (template.data === undefined ? 1 : 2),
  }
  needs.set(template, need)
  return need
}

/** What is left of the machine for replicas: as the catalogue has it, where it knows the type. */
export function roomOf(machine: NonNullable<Node['machine']>): Amount {
  const type = typeByName.get(machine.instanceType)
  const { cpuMilli, memoryMib } = type?.allocatable ?? machine.allocatable
  const gpuMilli = (type?.gpuCount ?? machine.gpuCount) * 1000
  return { cpuMilli, memoryMib, gpuMilli, diskMib: machine.allocatable.diskMib }
}

/** The whole machine, as limits count it; undefined for a type that the catalogue lacks. */
export function shapeOfType(instanceType: string): Amount | undefined {
  const type = typeByName.get(instanceType)
  if (type === undefined) return undefined
  return {
    cpuMilli: type.vcpu * 1000,
    memoryMib: type.memoryMib,
    gpuMilli: type.gpuCount * 1000,
    diskMib: 0,
  }
}

export type Limits = Amount & { readonly usdPerHour: number }

export const NO_LIMITS: Limits = {
  cpuMilli: Infinity,
  memoryMib: Infinity,
  gpuMilli: Infinity,
  diskMib: Infinity,
  usdPerHour: Infinity,
}

/** What all machines of the pool together may be; a limit that nobody set is infinite. */
export function limitsOf({ spec: { limits } }: PoolItem): Limits {
  return {
    cpuMilli: limits.cpu === undefined ? Infinity : (parseMilli(limits.cpu) ?? 0),
    memoryMib: limits.memory === undefined ? Infinity : (parseMib(limits.memory) ?? 0),
    gpuMilli: limits.gpu === undefined ? Infinity : (parseMilli(limits.gpu) ?? 0),
    diskMib: Infinity,
    usdPerHour: limits.costPerHour ?? Infinity,
  }
}

/** In every dimension the larger of the two. */
export const looser = (a: Limits, b: Limits): Limits => ({
  cpuMilli: Math.max(a.cpuMilli, b.cpuMilli),
  memoryMib: Math.max(a.memoryMib, b.memoryMib),
  gpuMilli: Math.max(a.gpuMilli, b.gpuMilli),
  diskMib: Math.max(a.diskMib, b.diskMib),
  usdPerHour: Math.max(a.usdPerHour, b.usdPerHour),
})

/** What a node counts towards its pool's limits: a machine as it is, a claim at its most. */
export function chargeOf({ machine, claim }: Node): Limits {
  const whole = machine === undefined ? undefined : shapeOfType(machine.instanceType)
  const { cpuMilli, memoryMib, gpuMilli } = whole ?? claim.largest
  // A price that rose after the claim was made is no breach.
  const usdPerHour = Math.min(machine?.priceUsdPerHour ?? Infinity, claim.dearestUsdPerHour)
  return { cpuMilli, memoryMib, gpuMilli, diskMib: 0, usdPerHour }
}

type Sharing = {
  readonly id: string
  readonly needMilli: number
  readonly gpus: readonly GpuShare[]
}

/** What is wrong with how replicas share a machine's GPU devices, in words. */
export function wrongDevices(all: readonly Sharing[], gpuCount: number): string | undefined {
  const used = new Map<number, number>()
  for (const own of all) {
    const wrong = wrongShares(own, gpuCount)
    if (wrong !== undefined) return wrong
    for (const { index, milli } of own.gpus) used.set(index, (used.get(index) ?? 0) + milli)
  }
  for (const [index, milli] of used) {
    if (milli > 1000) return `GPU device ${String(index)} carries ${String(milli)} of 1000`
  }
  return undefined
}

function wrongShares({ id, needMilli, gpus }: Sharing, gpuCount: number): string | undefined {
  const isWhole = needMilli >= 1000
  const wantedCount = isWhole ? needMilli / 1000 : Math.ceil(needMilli / 1000)
  const wantedMilli = isWhole ? 1000 : needMilli
  const shares = gpus.map((own) => `${String(own.index)}:${String(own.milli)}`).join(' ')
  const told = `${id} asks for ${String(needMilli)} milli of GPU and has [${shares}]`
  if (gpus.length !== wantedCount) return told
  if (gpus.some((own) => own.milli !== wantedMilli)) return told
  if (new Set(gpus.map((own) => own.index)).size !== gpus.length) return told
  if (gpus.some((own) => own.index >= gpuCount)) return `${told}; there are ${String(gpuCount)}`
  return undefined
}
