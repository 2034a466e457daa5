/**
 * What autoscaling may say: a number between `min` and `max`, and none that is less than the one
 * before while one version takes the place of another.
 *
 * Judged by what the look itself has read, for a roll-out may begin while it thinks.
 */
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import type { WorkloadStatus } from '#shared/model/status.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import { kindOf, statusOf, targetOf, versionWanted } from './items.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import { makeScan, type Scan } from './scan.ts'

const RULE = 'scaling'

export function makeScaling({ truth }: Knowledge): Rule {
  /** By the label of the look. */
  const scans = new Map<string, Scan>()
  return {
    see: {
      scan: (seen) => {
        if (seen.by.role !== 'autoscale') return undefined
        scans.set(seen.by.label, makeScan({ ...seen, policy: truth.quotaPolicy }))
        return undefined
      },
      write: ({ by, changes }) => {
        const scan = scans.get(by.label)
        if (scan === undefined) return undefined
        return firstOf(changes, (change) => judge(change, scan))
      },
      over: ({ by }) => {
        scans.delete(by.label)
        return undefined
      },
    },
  }
}

function judge({ key, after }: Change, scan: Scan): Breach | undefined {
  const target = kindOf(key) === 'target' ? targetOf(after) : undefined
  if (target === undefined) return undefined
  const { name, replicas, uid } = target
  const said = `${name} is to have ${String(replicas)}`
  const workload = scan.workload(name)
  const scale = workload?.uid === uid ? workload.spec.scale : undefined
  if (workload === undefined || scale === undefined) {
    return { rule: RULE, text: `${said}, and is not scaled` }
  }
  const { min, max } = scale
  if (!(Number.isInteger(replicas) && min <= replicas && replicas <= max)) {
    return { rule: RULE, text: `${said}, which is not within ${String(min)} and ${String(max)}` }
  }
  const before = workload.spec.replicas ?? 0
  const status = statusOf(scan.get(keys.status('workload', name)))
  if (replicas >= before || !isRolling(workload, status)) return undefined
  const text = `${said} instead of ${String(before)} while a roll-out is under way`
  return { rule: RULE, text }
}

/** One version takes the place of a proven one, and has neither failed nor come to its end. */
function isRolling(workload: WorkloadItem, status: WorkloadStatus | undefined): boolean {
  const rollout = status?.uid === workload.uid ? status.rollout : undefined
  if (rollout?.stable === undefined) return false
  const wanted = versionWanted(workload)
  const { active, pending, undone, stable, failed, completedAtMs } = rollout
  const isNews = ![active, pending, undone].includes(wanted)
  return isNews || (stable !== active && failed === undefined && completedAtMs === undefined)
}
