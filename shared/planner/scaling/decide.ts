/**
 * From what a look finds of one scaled workload to the target that stands from now on.
 *
 * A target that says nothing new is the very one that stands, so that nothing is written. Readings
 * wander all the time and are told again only when they have moved by a tenth.
 */
import { LIMITS } from '../../model/limits.ts'
import type { MetricReading, ScaleTarget } from '../../model/scale-target.ts'
import type { WorkloadItem } from '../../model/spec-item.ts'
import type { RolloutStatus, WorkloadStatus } from '../../model/status.ts'
import type { Scale } from '../../model/scale.ts'
import { sameJson } from '../../base/equal.ts'
import { isGang } from '../../model/gang.ts'
import { revisionOf } from '../revision.ts'
import { recommend, type Recommendation } from './recommend.ts'
import { countOfWorkload } from './scaled.ts'
import type { Reading, Want } from './wants.ts'

export type Look = {
  readonly workload: WorkloadItem & { readonly spec: { readonly scale: Scale } }
  readonly target: ScaleTarget | undefined
  readonly status: WorkloadStatus | undefined
  /** One for each metric of the spec, in their order. */
  readonly readings: readonly Reading[]
  readonly nowMs: number
}

export function decideTarget(look: Look): ScaleTarget {
  const { workload, target: old, status, nowMs } = look
  const { scale } = workload.spec
  const current = countOfWorkload(workload, { target: old, status })
  const found = recommend({
    ...{ scale, current, readings: look.readings, nowMs },
    memory: old ?? { recommendations: [], events: [] },
    isRolling: isRolling(workload, status),
  })
  const fresh = targetOf(look, current, found)
  if (old === undefined) return fresh
  return saysTheSame(old, fresh) && !haveMoved(old.readings, fresh.readings) ? old : fresh
}

/** What is only forgotten of recommendations and events can wait for the next that is written. */
function saysTheSame(old: ScaleTarget, fresh: ScaleTarget): boolean {
  const [before, after] = [old, fresh].map(
    ({ readings: _, atMs: _at, events: _events, recommendations, ...rest }) => ({
      ...rest,
      recommended: recommendations.at(-1)?.atMs,
    }),
  )
  return sameJson(before, after)
}

function targetOf({ workload, target: old, nowMs }: Look, current: number, found: Recommendation) {
  const { replicas, wants, memory, held, limited, why } = found
  const scaled = { atMs: nowMs, from: current, to: replicas, why }
  const lastScaled = replicas === current ? old?.lastScaled : scaled
  const target: ScaleTarget = {
    ...{ kind: 'target', uid: workload.uid, name: workload.name, replicas, atMs: nowMs },
    recommendations: [...memory.recommendations],
    events: [...memory.events],
    ...(memory.idleSinceMs === undefined ? {} : { idleSinceMs: memory.idleSinceMs }),
    readings: wants.map((own) => readingOf(own, nowMs)),
    ...(held === undefined ? {} : { held }),
    ...(limited === undefined ? {} : { limited }),
    ...(lastScaled === undefined ? {} : { lastScaled }),
  }
  return target
}

function readingOf({ metric, value, target, replicas, error }: Want, atMs: number): MetricReading {
  return {
    ...{ metric, atMs },
    ...(value === undefined ? {} : { value }),
    ...(target === undefined ? {} : { target }),
    ...(replicas === undefined ? {} : { replicas }),
    ...(error === undefined ? {} : { error }),
  }
}

function haveMoved(before: readonly MetricReading[], after: readonly MetricReading[]): boolean {
  if (before.length !== after.length) return true
  return after.some((own, i) => {
    const old = before[i]
    if (old?.metric !== own.metric || old.target !== own.target) return true
    if (old.replicas !== own.replicas || old.error?.code !== own.error?.code) return true
    const [was, is] = [old.value ?? 0, own.value ?? 0]
    return Math.abs(is - was) > LIMITS.readingMovedShare * Math.max(Math.abs(was), own.target ?? 0)
  })
}

/**
 * True while one version takes the place of another, or is about to: the spec's is one that no pass
 * has seen. What is halted, or only watched any more, is not under way.
 */
export function isRolling(workload: WorkloadItem, status: WorkloadStatus | undefined): boolean {
  const rollout = status?.uid === workload.uid ? status.rollout : undefined
  if (rollout === undefined || isGang(workload)) return false
  const { version } = revisionOf(workload.spec)
  const known = [rollout.active, rollout.pending, rollout.undone]
  if (!known.includes(version)) return rollout.stable !== undefined
  return isUnderWay(rollout)
}

function isUnderWay({ active, stable, failed, completedAtMs }: RolloutStatus): boolean {
  if (stable === undefined || stable === active || failed !== undefined) return false
  return completedAtMs === undefined
}
