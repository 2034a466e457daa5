/**
 * Measures what replicas use, once a beat: /proc or the container engine for processors and memory,
 * nvidia-smi for GPUs, no more often than it is cheap.
 *
 * A beat must never wait for it: what is not there in time is left out.
 */
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { MeasureUsage } from '../ports.ts'
import { usageBetween, type Used, type UsageLook } from '../usage.ts'
import { runTool } from './checks/run-tool.ts'

export type UsageOptions = {
  /** What all replicas of the machine have used so far. */
  readonly used: () => Promise<readonly Used[]>
  readonly log: Logger
  readonly timeoutMs?: number
}

export function openUsage({
  used,
  log,
  timeoutMs = LIMITS.usageReadMs,
}: UsageOptions): MeasureUsage {
  let last: UsageLook | undefined
  let isBlind = false
  const gpuPercent = openGpuPercent()
  return async () => {
    try {
      const found = await inTime(used(), timeoutMs)
      if (found === undefined) return {}
      const isOnGpus = found.some((own) => own.gpus.length > 0)
      const look: UsageLook = {
        atMs: performance.now(),
        used: found,
        gpuPercent: isOnGpus ? gpuPercent() : new Map<number, number>(),
      }
      const usage = usageBetween(last, look)
      last = look
      return usage
    } catch (error) {
      if (!isBlind) log.warn(`usage is not measured: ${describeError(error)}`)
      isBlind = true
      return {}
    }
  }
}

function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined)
    }, timeoutMs)
  })
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer)
  })
}

const QUERY = ['nvidia-smi', '--query-gpu=index,utilization.gpu', '--format=csv,noheader,nounits']

/** What the last answer said, while the next is on its way. */
function openGpuPercent(): () => ReadonlyMap<number, number> {
  let known: { readonly atMs: number; readonly percents: ReadonlyMap<number, number> } | undefined
  let notBeforeMs = -Infinity
  const ask = async (): Promise<void> => {
    const startMs = performance.now()
    notBeforeMs = Infinity
    try {
      const ended = await runTool({ words: QUERY, timeoutMs: LIMITS.usageReadMs })
      if (ended.code === 0) known = { atMs: startMs, percents: percentsOf(ended.stdout) }
    } catch {
      // No such tool, or no more processes to be had: there is nothing to tell.
    }
    const tookMs = performance.now() - startMs
    notBeforeMs = startMs + Math.min(tookMs / LIMITS.usageToolShare, LIMITS.usageMaxAgeMs / 2)
  }
  return () => {
    const nowMs = performance.now()
    if (nowMs >= notBeforeMs) void ask()
    const isFresh = known !== undefined && nowMs - known.atMs < LIMITS.usageMaxAgeMs
    return isFresh ? (known?.percents ?? NOTHING) : NOTHING
  }
}

const NOTHING: ReadonlyMap<number, number> = new Map()

/** Lines like `0, 87`; a device that cannot say is left out. */
export function percentsOf(stdout: string): ReadonlyMap<number, number> {
  const lines = stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d{1,3}),\s*(\d{1,3})\s*$/.exec(line)
    return match === null ? [] : [[Number(match[1]), Number(match[2])] as const]
  })
  return new Map(lines)
}
