/**
 * The load balancers of a pass: asked before it plans, told what has come of the plan after it.
 *
 * A balancer that cannot be asked says nothing of its targets, and one that was told badly is told
 * again in the next pass. Neither stops the work of anybody else.
 */
import { describeError } from '../../base/errors.ts'
import { BalancerError } from '../../cloud/balancer-error.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Draft } from '../../planner/fold.ts'
import { targetChanges, targetGroupsIn, type TargetChange } from '../../planner/service.ts'
import type { Snapshot, TargetGroupView } from '../../planner/snapshot.ts'
import type { Fence } from './fence.ts'
import type { ReconcilePorts } from './settings.ts'

/** The snapshot with what the target groups of its workloads say; itself where there are none. */
export async function askBalancers(
  { balancer, log }: ReconcilePorts,
  snapshot: Snapshot,
): Promise<Snapshot> {
  const all = targetGroupsIn(snapshot)
  const arns = all.slice(0, LIMITS.targetGroupsMax)
  if (arns.length === 0) return snapshot
  if (all.length > arns.length) {
    log.error('there are more target groups than a pass asks about', { count: all.length })
  }
  const targetGroups = await Promise.all(
    arns.map(async (targetGroupArn): Promise<TargetGroupView> => {
      try {
        return { targetGroupArn, targets: await balancer.health(targetGroupArn) }
      } catch (error) {
        log.warn('a target group could not be asked', {
          targetGroupArn,
          error: describeError(error),
        })
        const code = error instanceof BalancerError ? error.code : 'BalancerFailed'
        return { targetGroupArn, error: { code, text: describeError(error) } }
      }
    }),
  )
  return { ...snapshot, targetGroups }
}

type Telling = {
  readonly ports: ReconcilePorts
  readonly fence: Fence
  readonly snapshot: Snapshot
  readonly draft: Draft
}

/** True when something could not be told, and should be tried again soon. */
export async function tellBalancers({ ports, fence, snapshot, draft }: Telling): Promise<boolean> {
  let again = false
  for (const change of targetChanges(snapshot, draft)) {
    if (fence.isLate()) return true
    const isTold = await tellOne(ports, change)
    again ||= !isTold
  }
  return again
}

/** Who leaves first: requests must not go where nobody will answer. */
async function tellOne(
  { balancer, log }: ReconcilePorts,
  { targetGroupArn, register, deregister }: TargetChange,
): Promise<boolean> {
  try {
    if (deregister.length > 0) await balancer.deregister(targetGroupArn, deregister)
    if (register.length > 0) await balancer.register(targetGroupArn, register)
    return true
  } catch (error) {
    log.warn('a target group could not be told', { targetGroupArn, error: describeError(error) })
    return false
  }
}
