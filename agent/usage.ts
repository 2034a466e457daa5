/**
 * What replicas use, from two looks at what they have used so far.
 *
 * Processor time only ever grows while a process lives, so what matters is the difference between
 * two beats; a replica that was not there the time before, or is another process by now, has none
 * yet. Memory is what it is. Pure: the looks are an adapter's.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { GpuShare } from '#shared/model/assignment.ts'
import type { Usage } from '#shared/model/report.ts'

/** What one replica has used so far. */
export type Used = {
  readonly replicaId: string
  /** Of which run: another one begins at nothing. */
  readonly run: string
  readonly cpuMs: number
  readonly memoryMib: number
  readonly gpus: readonly GpuShare[]
}

export type UsageLook = {
  /** By a clock that is never set. */
  readonly atMs: number
  readonly used: readonly Used[]
  /** Percent of each device that was busy, by its index; those that do not say are left out. */
  readonly gpuPercent: ReadonlyMap<number, number>
}

/** By replica id; of each only what can be told. */
export function usageBetween(
  before: UsageLook | undefined,
  { atMs, used, gpuPercent }: UsageLook,
): Readonly<Record<string, Usage>> {
  const known = new Map((before?.used ?? []).map((own) => [own.replicaId, own]))
  const elapsedMs = atMs - (before?.atMs ?? atMs)
  return Object.fromEntries(
    used.slice(0, LIMITS.replicasPerNodeMax).map((own) => {
      const old = known.get(own.replicaId)
      const cpuMs = old?.run === own.run ? own.cpuMs - old.cpuMs : undefined
      const gpuMilli = gpuOf(own.gpus, gpuPercent)
      const usage: Usage = {
        ...(cpuMs === undefined || elapsedMs < LIMITS.usageLeastMs
          ? {}
          : { cpuMilli: Math.max(0, Math.round((cpuMs * 1000) / elapsedMs)) }),
        memoryMib: Math.round(own.memoryMib),
        ...(gpuMilli === undefined ? {} : { gpuMilli }),
      }
      return [own.replicaId, usage]
    }),
  )
}

/** Of whole devices: who of several takes what of a shared one is not known. */
function gpuOf(
  gpus: readonly GpuShare[],
  gpuPercent: ReadonlyMap<number, number>,
): number | undefined {
  if (gpus.length === 0 || gpus.some((own) => own.milli < 1000)) return undefined
  const percents = gpus.map((own) => gpuPercent.get(own.index) ?? Number.NaN)
  const sum = percents.reduce((all, own) => all + own, 0)
  return Number.isFinite(sum) ? Math.round(sum * 10) : undefined
}
