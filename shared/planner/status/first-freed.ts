/**
 * What is about to be freed, for those who wait for want of room or quota: who stops, and by when.
 *
 * Nobody knows when a service will end. But what has been told to stop is gone when its grace is
 * over, and whoever waits should know of it.
 */
import { templateKey } from '../../model/assignment.ts'
import type { Reason } from '../../model/status.ts'
import type { Refusal } from '../actions.ts'
import type { Draft } from '../fold.ts'
import { DIMENSIONS, type Amount } from '../quota/policy.ts'
import { stopTakesMs } from '../replicas.ts'
import { weightOf } from '../revision.ts'
import type { Target } from '../target.ts'

export type FreedContext = {
  readonly draft: Draft
  readonly nowMs: number
  /** By workload name. */
  readonly targets: ReadonlyMap<string, Target>
}

/** The refusals, each with what comes free first of what it waits for, where that is known. */
export function withFirstFreed(
  refusals: readonly Refusal[],
  context: FreedContext,
): readonly Refusal[] {
  if (refusals.length === 0) return refusals
  const stopping = stoppingIn(context)
  return refusals.map((own) => {
    const target = context.targets.get(own.workload)
    if (target === undefined || !own.reasons.some(({ code }) => WANTING.has(code))) return own
    const { need } = weightOf(target.template)
    const first = stopping.find((one) => helps(one.need, need))
    if (first === undefined) return own
    const { id, atMs } = first
    const reason: Reason = { code: 'FirstFreed', text: `first to be freed: ${id}`, atMs }
    return { ...own, reasons: [...own.reasons, reason] }
  })
}

/** Codes of those who wait for something that others have. */
const WANTING: ReadonlySet<string> = new Set([
  ...['TeamQuota', 'NothingIdle', 'PoolLimit', 'Shortage', 'InsufficientInstanceCapacity'],
])

/** Of GPUs that somebody lacks nothing is freed by who has none. */
function helps(freed: Amount, need: Amount): boolean {
  if (need.gpuMilli > 0) return freed.gpuMilli > 0
  return DIMENSIONS.some((own) => need[own] > 0 && freed[own] > 0)
}

type Stopping = { readonly id: string; readonly need: Amount; readonly atMs: number }

/** Those to be gone first first; who is overdue is not counted on. */
function stoppingIn({ draft, nowMs }: FreedContext): readonly Stopping[] {
  const found: Stopping[] = []
  for (const { replicas, templates } of draft.assignments.values()) {
    for (const bound of replicas) {
      const template = templates[templateKey(bound)]
      const atMs = (bound.stopAtMs ?? 0) + stopTakesMs(bound)
      if (bound.order !== 'stop' || template === undefined || atMs <= nowMs) continue
      found.push({ id: bound.id, need: weightOf(template).need, atMs })
    }
  }
  return found.sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1))
}
