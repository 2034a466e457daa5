/**
 * What people hear of roll-outs: that one has begun, was completed, or is given up, each once.
 *
 * Automation listens to these (`docs/automation.md`); what becomes of single replicas is told
 * beside them. The pass that changes the status tells: its snapshot has the one of before.
 */
import type { Reason, RolloutStatus, WorkloadStatus } from '../../model/status.ts'
import type { Notice } from '../actions.ts'
import { statusesByUid } from '../facts.ts'

export function rolloutNotices(
  before: readonly WorkloadStatus[],
  now: readonly WorkloadStatus[],
): readonly Notice[] {
  const old = statusesByUid(before)
  return now.flatMap((status): Notice[] =>
    reasonsFor(old.get(status.uid)?.rollout, status).map((reason) => {
      return { object: `workload/${status.name}`, reason }
    }),
  )
}

function reasonsFor(
  before: RolloutStatus | undefined,
  { rollout, conditions }: WorkloadStatus,
): readonly Reason[] {
  if (before === undefined || rollout === undefined) return []
  const { active, stable, failed, undone, endedAtMs } = rollout
  const version = `version ${active}`
  const reasons: Reason[] = []
  const isNew = before.active !== active
  if (isNew) {
    const how = undone === undefined ? 'takes the place of' : 'comes back in place of'
    reasons.push({ code: 'RolloutStarted', text: `${version} ${how} ${before.active}` })
  }
  if (failed !== undefined && (isNew || before.failed === undefined)) {
    const isHalt = conditions.some((own) => own.reason === 'RolloutHalted')
    const end = isHalt || stable === undefined ? 'halted' : `rolled back to ${stable}`
    const text = `${version} is ${end}: ${failed.code}: ${failed.text}`
    reasons.push({ code: 'RolloutFailed', text })
  }
  if (endedAtMs !== undefined && (isNew || before.endedAtMs === undefined)) {
    reasons.push({ code: 'RolloutCompleted', text: `${version} is rolled out` })
  }
  return reasons
}
