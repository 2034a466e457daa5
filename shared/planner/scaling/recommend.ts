/**
 * How many replicas a scaled workload should have from now on, and why.
 *
 * The order is the policy. What most metrics ask for counts; who cannot be heard can only keep it
 * from going down. Then come windows, the roll-out that freezes what would go down, min and max,
 * and the pace. To zero, and back from it, it goes by activation and cool-down alone, for a ratio
 * says nothing of none.
 */
import type { ScaleTarget } from '../../model/scale-target.ts'
import type { Scale } from '../../model/scale.ts'
import type { Reason } from '../../model/status.ts'
import { fewestNow, mostNow, noted, rememberedEvents, stabilised } from './pace.ts'
import { wantOf, type Reading, type Want } from './wants.ts'

export type ScaleMemory = Pick<ScaleTarget, 'recommendations' | 'events' | 'idleSinceMs'>

export type ScaleFacts = {
  readonly scale: Scale
  /** What it is to have so far, within min and max. */
  readonly current: number
  /** One for each metric, in their order. */
  readonly readings: readonly Reading[]
  readonly memory: ScaleMemory
  /** One version takes the place of another just now. */
  readonly isRolling: boolean
  readonly nowMs: number
}

export type Recommendation = {
  readonly replicas: number
  readonly why: string
  readonly wants: readonly Want[]
  readonly memory: ScaleMemory
  /** What keeps it where it is. */
  readonly held?: Reason
  /** What keeps it from going as far as its metrics ask for. */
  readonly limited?: Reason
}

export function recommend(facts: ScaleFacts): Recommendation {
  const { scale, current, nowMs } = facts
  const { behavior } = scale
  const context = { current, tolerance: behavior.tolerance, nowMs }
  const unread: Reading = { kind: 'unread', reason: { code: 'NotRead', text: 'it was not read' } }
  const wants = scale.metrics.map((metric, i) =>
    wantOf(metric, facts.readings[i] ?? unread, context),
  )
  const idleSinceMs = idleSince(wants, facts)
  const wanted = wantedBy(wants, { facts, idleSinceMs })
  const recommendations = noted(
    facts.memory.recommendations,
    { replicas: wanted.replicas, current, nowMs },
    behavior,
  )
  const followed = follow(wanted, { facts, recommendations })
  const { replicas, held, limited } = followed
  const known = rememberedEvents(facts.memory.events, nowMs, behavior)
  const events =
    replicas === current ? known : [...known, { atMs: nowMs, from: current, to: replicas }]
  return {
    ...{ replicas, wants },
    why: [wanted.why, held?.text, limited?.text].filter((own) => own !== undefined).join('; '),
    memory: {
      ...{ recommendations, events },
      ...(idleSinceMs === undefined ? {} : { idleSinceMs }),
    },
    ...(held === undefined ? {} : { held }),
    ...(limited === undefined ? {} : { limited }),
  }
}

/** Since when nothing goes on; of no interest where there is always somebody. */
function idleSince(wants: readonly Want[], facts: ScaleFacts): number | undefined {
  if (facts.scale.min > 0) return undefined
  const isIdle = wants.every((own) => own.isActive !== true && own.error === undefined)
  return isIdle ? (facts.memory.idleSinceMs ?? facts.nowMs) : undefined
}

type Wanted = {
  readonly replicas: number
  readonly why: string
  readonly held?: Reason
  /** To none, or from none: no window holds that back. */
  readonly isAtOnce: boolean
}

type Idle = { readonly facts: ScaleFacts; readonly idleSinceMs: number | undefined }

/** What the metrics ask for together. */
function wantedBy(wants: readonly Want[], { facts, idleSinceMs }: Idle): Wanted {
  const { scale, current, nowMs } = facts
  const unread = wants.filter((own) => own.error !== undefined)
  const most = wants.reduce<Want | undefined>(
    (best, own) => ((own.replicas ?? -1) > (best?.replicas ?? -1) ? own : best),
    undefined,
  )
  const asked = most?.replicas ?? current
  const why = most?.text ?? 'no metric can be read'
  if (scale.min === 0 && current === 0) {
    const isAwake = wants.some((own) => own.isActive === true)
    const woken = { replicas: Math.max(1, asked), why, isAtOnce: true }
    return isAwake ? woken : { replicas: 0, why: 'nothing goes on', isAtOnce: true }
  }
  if (idleSinceMs !== undefined && nowMs - idleSinceMs >= scale.cooldownSeconds * 1000) {
    const text = `nothing has gone on for ${String(scale.cooldownSeconds)} s`
    return { replicas: 0, why: text, isAtOnce: true }
  }
  const replicas = Math.max(1, asked)
  if (unread.length === 0 || (replicas >= current && most !== undefined)) {
    return { replicas, why, isAtOnce: false }
  }
  const names = unread.map((own) => own.metric).join(', ')
  const text = `${names} cannot be read, so it goes no lower`
  return { replicas: current, why, held: { code: 'MetricUnread', text }, isAtOnce: false }
}

type Followed = {
  readonly replicas: number
  readonly held?: Reason
  readonly limited?: Reason
}

type Way = {
  readonly facts: ScaleFacts
  readonly recommendations: ScaleTarget['recommendations']
}

/** How far what is wanted may be followed now. */
function follow(wanted: Wanted, { facts, recommendations }: Way): Followed {
  const { scale, current, nowMs } = facts
  const { behavior } = scale
  const allowed = wanted.isAtOnce
    ? wanted.replicas
    : stabilised(wanted.replicas, { all: recommendations, current, nowMs }, behavior)
  const held = wanted.held ?? windowHolds(wanted.replicas, allowed, behavior)
  if (facts.isRolling && allowed < current) {
    const text = 'a roll-out is under way, and until it is done it goes no lower'
    return { replicas: current, held: { code: 'RollingOut', text } }
  }
  const bounded = within(scale, allowed)
  const now = { current, events: facts.memory.events, nowMs }
  const least = fewestNow(behavior, now)
  const most = mostNow(behavior, now)
  const replicas = Math.min(Math.max(bounded, least), most)
  const limited = limitOf(replicas, { bounded, allowed, scale })
  return {
    replicas,
    ...(held === undefined ? {} : { held }),
    ...(limited === undefined ? {} : { limited }),
  }
}

export const within = ({ min, max }: Pick<Scale, 'min' | 'max'>, replicas: number): number =>
  Math.min(Math.max(replicas, min), max)

function windowHolds(
  wanted: number,
  allowed: number,
  { scaleUp, scaleDown }: Scale['behavior'],
): Reason | undefined {
  if (allowed === wanted) return undefined
  const [code, what, seconds] =
    allowed > wanted
      ? ['ScaleDownStabilized', 'more', scaleDown.stabilizationWindowSeconds]
      : ['ScaleUpStabilized', 'fewer', scaleUp.stabilizationWindowSeconds]
  const text = `${String(what)} were recommended within the last ${String(seconds)} s`
  return { code: String(code), text }
}

type Limits = { readonly bounded: number; readonly allowed: number; readonly scale: Scale }

function limitOf(replicas: number, { bounded, allowed, scale }: Limits): Reason | undefined {
  if (replicas < bounded) {
    return { code: 'ScaleUpLimit', text: 'behavior.scaleUp lets no more start at a time' }
  }
  if (replicas > bounded) {
    return { code: 'ScaleDownLimit', text: 'behavior.scaleDown lets no more stop at a time' }
  }
  if (allowed > scale.max) {
    return { code: 'TooManyReplicas', text: `no more than max (${String(scale.max)})` }
  }
  if (allowed < scale.min) {
    return { code: 'TooFewReplicas', text: `no fewer than min (${String(scale.min)})` }
  }
  return undefined
}
