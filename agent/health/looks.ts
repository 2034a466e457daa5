/**
 * What one look at the machine shows, by the same judges that a burn-in has.
 *
 * A look tells of an area whole, or says nothing of it: what could not be looked at is neither well
 * nor ill. The kernel's log tells of things that happened, so it is read once and never takes
 * anything back; the other areas tell of how things stand, and what they no longer tell is over.
 */
import type { GpuIdentity } from '#shared/model/hardware.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Problem } from '#shared/model/health.ts'
import { judgeClock } from '../checks/clock.ts'
import type { Ended } from '../checks/command.ts'
import { kernelFaultsOf, toldOf } from '../checks/kernel-log.ts'
import { gpuFaultsOf, type GpuFault } from '../checks/nvidia/rules.ts'
import { WATCHED_RULES } from '../checks/nvidia/smi-checks.ts'
import { readSmiLog, type SmiLog } from '../checks/nvidia/smi-log.ts'
import { judgeSilence } from '../checks/nvidia/smi-silence.ts'
import { countedXids, xidText } from '../checks/nvidia/xid-log.ts'
import type { XidAction } from '../checks/nvidia/xid-policy.ts'

export type Area = 'kernel' | 'gpu' | 'disk' | 'clock'

export type Sighting = {
  readonly problem: Problem
  readonly text: string
  /** UUIDs of the GPUs it is about. */
  readonly devices: readonly string[]
}

export type Look = {
  readonly area: Area
  readonly seen: readonly Sighting[]
  /** Of the kernel's log: all of this boot, as the first look of an agent is. */
  readonly isWhole?: boolean
}

/** Lines of the kernel's log that are new since the last look. */
export function lookAtKernel(lines: readonly string[], gpus: readonly GpuIdentity[]): Look {
  const faults = kernelFaultsOf(lines).map((own) => sighting(own.problem, toldOf(own)))
  const xids = countedXids(lines).flatMap((own) => {
    const problem = XID_PROBLEMS[own.action]
    return problem === undefined ? [] : [sighting(problem, xidText(own), uuids(own.bus, gpus))]
  })
  return { area: 'kernel', seen: merged([...faults, ...xids]) }
}

const XID_PROBLEMS: Readonly<Partial<Record<XidAction, Problem>>> = {
  'restart-app': 'XidRestartApp',
  reset: 'XidReset',
  reboot: 'XidReboot',
  replace: 'XidReplace',
}

/** What `nvidia-smi -q -x` answered; late means that it did not within its time. */
export function lookAtGpus(answer: Ended, gpus: readonly GpuIdentity[]): Look {
  if (answer.isLate) return gpuLook([sighting('GpuSilent', 'nvidia-smi does not answer')])
  const log = readSmiLog(answer.stdout)
  if ('unreadable' in log) {
    const { verdict, text } = judgeSilence(answer, log.unreadable)
    return gpuLook([sighting(SILENCE[verdict] ?? 'GpuSilent', text)])
  }
  const faults = gpuFaultsOf(log.gpus, WATCHED_RULES).flatMap((own) => sightingOf(own, gpus))
  return gpuLook([...missing(log, gpus), ...faults])
}

const SILENCE: Readonly<Partial<Record<string, Problem>>> = {
  FAIL: 'GpuMissing',
  INFRA: 'GpuDriverUnusable',
}

const gpuLook = (seen: readonly Sighting[]): Look => ({ area: 'gpu', seen: merged(seen) })

function sightingOf({ gpu, problem, text }: GpuFault, gpus: readonly GpuIdentity[]): Sighting[] {
  return problem === undefined ? [] : [sighting(problem, text, uuids(gpu.bus, gpus))]
}

/** GPUs that were there when the agent started. */
function missing(log: SmiLog, gpus: readonly GpuIdentity[]): Sighting[] {
  const there = new Set(log.gpus.map(({ bus }) => bus))
  return gpus.flatMap(({ uuid, index, bus }) =>
    there.has(bus)
      ? []
      : [sighting('GpuMissing', `GPU ${String(index)} at ${bus} is gone`, [uuid])],
  )
}

/** Of the file system that the agent's directory is on, in whatever units. */
export function lookAtDisk(blocks: { used: number; free: number }, fullPercent: number): Look {
  const percent = (100 * blocks.used) / Math.max(1, blocks.used + blocks.free)
  const isFull = percent > fullPercent
  const text = `the disk is ${percent.toFixed(0)} % full`
  return { area: 'disk', seen: isFull ? [sighting('DiskNearlyFull', text)] : [] }
}

/** This machine's clock less DynamoDB's. */
export function lookAtClock(offsetMs: number): Look {
  const { verdict, text } = judgeClock(offsetMs)
  return { area: 'clock', seen: verdict === 'PASS' ? [] : [sighting('ClockOff', text)] }
}

function sighting(problem: Problem, text: string, devices: readonly string[] = []): Sighting {
  return { problem, text: text.slice(0, LIMITS.healthTextMaxChars), devices }
}

const uuids = (bus: string, gpus: readonly GpuIdentity[]): readonly string[] =>
  gpus.filter((own) => own.bus === bus).map((own) => own.uuid)

/** Each problem once, in the words of the first, with all its devices. */
function merged(seen: readonly Sighting[]): readonly Sighting[] {
  const byProblem = new Map<Problem, Sighting>()
  for (const own of seen) {
    const known = byProblem.get(own.problem)
    const devices = [...new Set([...(known?.devices ?? []), ...own.devices])]
    byProblem.set(own.problem, { ...(known ?? own), devices })
  }
  return [...byProblem.values()]
}
