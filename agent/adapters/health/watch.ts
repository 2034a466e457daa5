/**
 * Watches the machine in service, at a cost that nobody notices: what is new in the kernel's log,
 * how full the disk is, what the clock is off by the answers that come anyway, and, where there are
 * GPUs, a call of nvidia-smi, the less often the longer it takes.
 *
 * What cannot be looked at is left out, and the log says so once.
 */
import { statfs } from 'node:fs/promises'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import type { GpuIdentity } from '#shared/model/hardware.ts'
import { LIMITS } from '#shared/model/limits.ts'
import {
  lookAtClock,
  lookAtDisk,
  lookAtGpus,
  lookAtKernel,
  type Area,
  type Look,
} from '../../health/looks.ts'
import type { LookAtHealth } from '../../ports.ts'
import { askSmi } from '../checks/gpu.ts'
import { openKernelLog, type KernelLog } from '../kernel-log.ts'

export type WatchOptions = {
  /** `/dev/kmsg`, or a file like it. */
  readonly kernelLog: string
  /** The agent's own, on the file system that replicas and images fill. */
  readonly directory: string
  readonly diskFullPercent: number
  /** Of this machine, as they were when the agent started. */
  readonly gpus: readonly GpuIdentity[]
  /** This machine's clock less DynamoDB's, by the answers since it was last asked. */
  readonly takeClockOffsetMs: () => number | undefined
  readonly log: Logger
}

export function openWatch(options: WatchOptions): LookAtHealth {
  const areas: readonly (readonly [Area, () => Promise<Look | undefined>])[] = [
    ['kernel', kernelLook(options)],
    ['disk', () => diskLook(options)],
    ['clock', () => Promise.resolve(clockLook(options))],
    ['gpu', gpuLook(options)],
  ]
  const blind = new Set<Area>()
  const lookAt = async ([area, look]: (typeof areas)[number]): Promise<Look[]> => {
    try {
      return [(await look()) ?? []].flat()
    } catch (error) {
      if (!blind.has(area)) options.log.warn(`health: no look at ${area}: ${describeError(error)}`)
      blind.add(area)
      return []
    }
  }
  return async () => (await Promise.all(areas.map(lookAt))).flat()
}

/** Once all of it, then what is new. */
function kernelLook({ kernelLog, gpus }: WatchOptions): () => Promise<Look> {
  let log: KernelLog | undefined
  return () => {
    const isWhole = log === undefined
    log ??= openKernelLog(kernelLog)
    const look = lookAtKernel(log.readOn(), gpus)
    return Promise.resolve(isWhole ? { ...look, isWhole } : look)
  }
}

async function diskLook({ directory, diskFullPercent }: WatchOptions): Promise<Look> {
  // As `df` counts: what is kept for root is neither used nor free.
  const { bavail, bfree, blocks } = await statfs(directory)
  return lookAtDisk({ used: blocks - bfree, free: bavail }, diskFullPercent)
}

function clockLook({ takeClockOffsetMs }: WatchOptions): Look | undefined {
  const offsetMs = takeClockOffsetMs()
  return offsetMs === undefined ? undefined : lookAtClock(offsetMs)
}

/** As often as nvidia-smi is cheap; one that hangs costs nothing, and is asked again soon. */
function gpuLook({ gpus }: WatchOptions): () => Promise<Look | undefined> {
  let notBeforeMs = -Infinity
  return async () => {
    const startMs = performance.now()
    if (gpus.length === 0 || startMs < notBeforeMs) return undefined
    const answer = await askSmi()
    if (answer === undefined) return undefined
    const pauseMs = (performance.now() - startMs) / LIMITS.healthToolShare
    notBeforeMs = answer.isLate ? startMs : startMs + Math.min(pauseMs, LIMITS.healthToolPauseMaxMs)
    return lookAtGpus(answer, gpus)
  }
}
