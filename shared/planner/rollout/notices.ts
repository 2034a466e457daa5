/**
 * What people hear of roll-outs: that one has begun, was completed, or is given up, each once.
 *
 * Automation listens to these (`docs/automation.md`); what becomes of single replicas is told
 * beside them. The pass that changes the status tells: its snapshot has the one of before.
 */
import type { RolloutStatus, WorkloadStatus } from '../../model/status.ts'
import type { Notice } from '../actions.ts'
import { statusesByUid } from '../facts.ts'

export function rolloutNotices(
  before: readonly WorkloadStatus[],
  now: readonly WorkloadStatus[],
): readonly Notice[] {
  const old = statusesByUid(before)
  return now.flatMap((status): Notice[] => {
    const reason = reasonFor(old.get(status.uid)?.rollout, status)
    return reason === undefined ? [] : [{ object: `workload/${status.name}`, reason }]
  })
}

/** No status is of two of them: what has just begun is neither proven nor given up. */
function reasonFor(
  before: RolloutStatus | undefined,
  { rollout, conditions }: WorkloadStatus,
): Notice['reason'] | undefined {
  if (before === undefined || rollout === undefined) return undefined
  const { active, stable, failed, undone } = rollout
  const version = `version ${active}`
  if (before.active !== active) {
    const how = undone === undefined ? 'takes the place of' : 'comes back in place of'
    return { code: 'RolloutStarted', text: `${version} ${how} ${before.active}` }
  }
  if (failed !== undefined && before.failed === undefined) {
    const isHalt = conditions.some((own) => own.reason === 'RolloutHalted')
    const end = isHalt || stable === undefined ? 'halted' : `rolled back to ${stable}`
    return { code: 'RolloutFailed', text: `${version} is ${end}: ${failed.code}: ${failed.text}` }
  }
  if (stable === active && before.stable !== active) {
    return { code: 'RolloutCompleted', text: `${version} is rolled out` }
  }
  return undefined
}
