/**
 * The load balancers of a pass: asked before it plans, told what has come of the plan after it.
 *
 * A balancer that cannot be asked says nothing of its targets, and one that was told badly is told
 * again in the next pass. Neither stops the work of anybody else.
 */
import { describeError } from '../../base/errors.ts'
import { BalancerError, type BalancerErrorCode } from '../../cloud/balancer-error.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Reason } from '../../model/status.ts'
import type { Plan } from '../../planner/actions.ts'
import type { Draft } from '../../planner/fold.ts'
import { targetChanges, targetGroupsIn, type TargetChange } from '../../planner/service.ts'
import type { Snapshot, TargetGroupView } from '../../planner/snapshot.ts'
import type { CarriedOut } from './carry-out.ts'
import { workloadOf, type EventDraft } from './events.ts'
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
        return { targetGroupArn, error: refusalOf(error) }
      }
    }),
  )
  return { ...snapshot, targetGroups }
}

type Telling = {
  readonly ports: ReconcilePorts
  readonly fence: Fence
  readonly snapshot: Snapshot
  readonly plan: Pick<Plan, 'actions'>
  readonly draft: Draft
}

/** `again`: something could not be told that may well be told soon. */
export async function tellBalancers(telling: Telling): Promise<CarriedOut> {
  const { ports, fence, snapshot, draft } = telling
  const events: EventDraft[] = []
  let again = false
  for (const change of targetChanges(snapshot, draft)) {
    if (fence.isLate()) return { again: true, events }
    const refusal = await tellOne(ports, change)
    if (refusal === undefined) continue
    // What only a person can mend is tried when the plan looks at the group again.
    if (PASSING.has(refusal.code)) again = true
    else events.push(...refusedOf(telling, change, refusal))
  }
  return { again, events }
}

const PASSING: ReadonlySet<string> = new Set<BalancerErrorCode>(['Throttled', 'Unreachable'])

/** Who leaves first: requests must not go where nobody will answer. */
async function tellOne(
  { balancer, log }: ReconcilePorts,
  { targetGroupArn, register, deregister }: TargetChange,
): Promise<Reason | undefined> {
  try {
    if (deregister.length > 0) await balancer.deregister(targetGroupArn, deregister)
    if (register.length > 0) await balancer.register(targetGroupArn, register)
    return undefined
  } catch (error) {
    log.warn('a target group could not be told', { targetGroupArn, error: describeError(error) })
    return refusalOf(error)
  }
}

/** Told once, of those that were to be registered by this very plan. */
function refusedOf(
  { plan }: Telling,
  { targetGroupArn }: TargetChange,
  { code, text }: Reason,
): readonly EventDraft[] {
  const workloads = plan.actions.flatMap((own) =>
    own.kind === 'register' && own.balanced.targetGroupArn === targetGroupArn
      ? workloadOf(own.replica)
      : [],
  )
  return [...new Set(workloads)].map((object) => ({ object, type: 'Warning', reason: code, text }))
}

function refusalOf(error: unknown): Reason {
  const code = error instanceof BalancerError ? error.code : 'BalancerFailed'
  return { code, text: describeError(error) }
}
