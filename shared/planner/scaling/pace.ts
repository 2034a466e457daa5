/**
 * How fast a recommendation may be followed: stabilisation and policies, as Kubernetes' HPA has
 * them.
 *
 * Stabilisation: down no lower than the most that was recommended within its window, up no higher
 * than the least. Policies: from what there was when a period began, no more than so many away.
 * Source: kubernetes/kubernetes pkg/controller/podautoscaler/horizontal.go
 * (stabilizeRecommendationWithBehaviors, calculateScaleUpLimitWithScalingRules).
 */
import { LIMITS } from '../../model/limits.ts'
import type { ScaleTarget } from '../../model/scale-target.ts'
import type { Behavior } from '../../model/scale.ts'

type Recommendations = ScaleTarget['recommendations']
type Events = ScaleTarget['events']

/**
 * The recommendations with this one, without those that no window reaches any more. One holds until
 * the next, so what is recommended again changes nothing.
 */
export function noted(
  before: Recommendations,
  { replicas, current, nowMs }: { replicas: number; current: number; nowMs: number },
  { scaleUp, scaleDown }: Behavior,
): Recommendations {
  const longestMs =
    Math.max(scaleUp.stabilizationWindowSeconds, scaleDown.stabilizationWindowSeconds) * 1000
  // Nothing is known of the time before: what there is counts as recommended until now.
  const known = before.length === 0 ? [{ atMs: nowMs, replicas: current }] : before
  const isNew = known.at(-1)?.replicas !== replicas
  const all = isNew ? [...known, { atMs: nowMs, replicas }] : known
  return since(all, nowMs - longestMs).slice(-LIMITS.scaleHistoryMax)
}

/** Those that held at any time after it. */
function since(all: Recommendations, sinceMs: number): Recommendations {
  return all.filter((_, i) => {
    const next = all[i + 1]
    return next === undefined || next.atMs > sinceMs
  })
}

/** What of `replicas` the windows allow now; `all` has it as its last. */
export function stabilised(
  replicas: number,
  { all, current, nowMs }: { all: Recommendations; current: number; nowMs: number },
  { scaleUp, scaleDown }: Behavior,
): number {
  const within = (seconds: number): readonly number[] =>
    since(all, nowMs - seconds * 1000).map((own) => own.replicas)
  const least = Math.min(replicas, ...within(scaleUp.stabilizationWindowSeconds))
  const most = Math.max(replicas, ...within(scaleDown.stabilizationWindowSeconds))
  return Math.min(Math.max(current, least), most)
}

type Now = { readonly current: number; readonly events: Events; readonly nowMs: number }

/** The most that the policies allow now, and never fewer than there are. */
export function mostNow({ scaleUp }: Behavior, { current, events, nowMs }: Now): number {
  if (scaleUp.selectPolicy === 'Disabled') return current
  const limits = scaleUp.policies.map(({ type, value, periodSeconds }) => {
    const began = current - changeSince(events, nowMs - periodSeconds * 1000)
    return type === 'Pods' ? began + value : Math.ceil(began * (1 + value / 100) - DUST)
  })
  const limit = scaleUp.selectPolicy === 'Max' ? Math.max(...limits) : Math.min(...limits)
  // A share of nothing is nothing: the first one is always allowed.
  return Math.max(current, limit, current === 0 ? 1 : 0)
}

/** The fewest that the policies allow now, and never more than there are. */
export function fewestNow({ scaleDown }: Behavior, { current, events, nowMs }: Now): number {
  if (scaleDown.selectPolicy === 'Disabled') return current
  const limits = scaleDown.policies.map(({ type, value, periodSeconds }) => {
    const began = current - changeSince(events, nowMs - periodSeconds * 1000)
    return type === 'Pods' ? began - value : Math.floor(began * (1 - value / 100) + DUST)
  })
  const limit = scaleDown.selectPolicy === 'Max' ? Math.min(...limits) : Math.max(...limits)
  return Math.max(0, Math.min(current, limit))
}

const DUST = 1e-9

/** By how many replicas there are more since then. */
function changeSince(events: Events, sinceMs: number): number {
  return events.reduce((sum, own) => (own.atMs > sinceMs ? sum + own.to - own.from : sum), 0)
}

/** The events that some policy still has to know of. */
export function rememberedEvents(
  events: Events,
  nowMs: number,
  { scaleUp, scaleDown }: Behavior,
): Events {
  const periods = [...scaleUp.policies, ...scaleDown.policies].map((own) => own.periodSeconds)
  const longestMs = Math.max(...periods) * 1000
  return events.filter((own) => own.atMs > nowMs - longestMs).slice(-LIMITS.scaleHistoryMax)
}
