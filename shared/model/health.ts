/**
 * Health: what an agent that only watches finds on a machine in service, and what follows from it.
 *
 * A burn-in asks; this listens, to the kernel's log, the GPUs' counters, the disk and the clock.
 * What it hears may be a false alarm, so the table below goes no further than the problem warrants:
 * what passes by itself closes the machine while it lasts, what a test can tell is tested, and only
 * what no test could clear has it replaced.
 *
 * Sources: `research/lifecycle.md` §2.3 and §2.4; the conditions are those of the EKS node
 * monitoring agent, and Kubernetes' own `DiskPressure`.
 */
import { z } from 'zod'
import { LIMITS } from './limits.ts'

/** What becomes of a machine with a problem, from mild to severe. */
export type Response =
  /** It is shown, and nothing else. */
  | 'observe'
  /** It takes no new replicas while the problem lasts. */
  | 'cordon'
  /** It is emptied within the ledger and tested as its pool tests new machines. */
  | 'retest'
  /** It is emptied within the ledger and replaced. */
  | 'replace'

export const RESPONSES: readonly Response[] = ['observe', 'cordon', 'retest', 'replace']

type Policy = { readonly condition: ConditionType; readonly response: Response }

/** False while a problem of that sort is there, but for `DiskPressure`, which is true. */
export type ConditionType =
  'AcceleratedHardwareReady' | 'ClockReady' | 'DiskPressure' | 'KernelReady' | 'StorageReady'

const kernel = (response: Response) => ({ condition: 'KernelReady', response }) as const
const storage = (response: Response) => ({ condition: 'StorageReady', response }) as const
const gpu = (response: Response) => ({ condition: 'AcceleratedHardwareReady', response }) as const

const POLICY = {
  MemoryError: kernel('retest'),
  MemoryCorrected: kernel('observe'),
  KernelFault: kernel('retest'),
  // In service a busy neighbour on the host is enough for it; EKS makes it an event as well.
  ProcessorHung: kernel('observe'),
  DiskError: storage('retest'),
  DiskReset: storage('observe'),
  DiskNearlyFull: { condition: 'DiskPressure', response: 'cordon' },
  ClockOff: { condition: 'ClockReady', response: 'cordon' },
  XidRestartApp: gpu('observe'),
  XidReset: gpu('retest'),
  XidReboot: gpu('retest'),
  XidReplace: gpu('replace'),
  GpuMemoryError: gpu('retest'),
  GpuRepairPending: gpu('retest'),
  GpuRepairFailed: gpu('replace'),
  GpuResetNeeded: gpu('retest'),
  GpuMissing: gpu('replace'),
  // A driver that hangs waits for a GPU that does not answer.
  GpuSilent: gpu('retest'),
  GpuSlowed: gpu('cordon'),
  // A library that was updated under its driver; what runs goes on, nothing new can start.
  GpuDriverUnusable: gpu('cordon'),
  GpuUnclear: gpu('observe'),
} as const satisfies Readonly<Record<string, Policy>>

export type Problem = keyof typeof POLICY
export const PROBLEMS = Object.keys(POLICY) as readonly Problem[]

/** What follows from a problem; one that only a newer agent knows is shown. */
export function responseTo(reason: string): Response {
  return isProblem(reason) ? POLICY[reason].response : 'observe'
}

export function isProblem(reason: string): reason is Problem {
  return Object.hasOwn(POLICY, reason)
}

/** The condition that tells of it, and what its status is then. */
export function conditionOf(reason: string): { readonly type: string; readonly status: boolean } {
  const type = isProblem(reason) ? POLICY[reason].condition : 'UnknownProblem'
  return { type, status: type === 'DiskPressure' || type === 'UnknownProblem' }
}

/** As an agent reports it. Reasons are no closed set: agents may be newer than who reads them. */
export const healthFindingSchema = z.object({
  reason: z.string().regex(/^[A-Z][A-Za-z]{0,62}$/),
  /** Of when it was first seen; it does not follow every number that changes. */
  text: z.string().max(LIMITS.healthTextMaxChars),
  /** UUIDs of the GPUs it is about, where they can be told apart. */
  devices: z.array(z.string().max(64)).max(64).optional(),
  /** How often it has come up in this boot: more than before is news, less says nothing. */
  times: z.int().min(1),
})
export type HealthFinding = z.infer<typeof healthFindingSchema>

/** As reconcile remembers it; the stamps are its own. */
export const nodeFindingSchema = healthFindingSchema.extend({
  /** When it came up, or came up again. */
  sinceMs: z.int(),
  /** In which boot. */
  bootId: z.string().optional(),
  /** Its agent no longer tells of it. It is remembered, for it may come back. */
  goneSinceMs: z.int().optional(),
  /** It came back after a test that found nothing: another would find nothing either. */
  isBack: z.boolean().optional(),
  /** So many had it at once that it is not held against any of them, until it comes up again. */
  isCommon: z.boolean().optional(),
})
export type NodeFinding = z.infer<typeof nodeFindingSchema>
