/**
 * Gangs: workloads whose replicas are of use only all together, like the ranks of a training run.
 *
 * A gang is admitted, given room, started, rolled out and taken away as one. What would have some
 * of its replicas run without the others contradicts that, and is refused with the reason.
 */
import { z } from 'zod'
import { LIMITS } from './limits.ts'

export const gangSchema = z
  .union([
    z.boolean(),
    z.strictObject({
      restart: z
        .enum(['all', 'member'])
        .default('all')
        .describe('who starts anew when a replica is lost'),
    }),
  ])
  .meta({ id: 'Gang', description: 'true, false, or {restart: all|member}; true is all' })

export const gangDeadlineSchema = z.int().min(1).max(604_800)

type Gang = { readonly gang?: z.infer<typeof gangSchema> | undefined }
type Deadline = { readonly gangDeadlineSeconds?: number | undefined }
/** Of a workload's spec, what a gang has to do with. */
type Ganged = Gang &
  Deadline & {
    readonly replicas?: number | undefined
    readonly availability: { readonly minAvailable?: string | number | undefined }
    readonly rollout: Readonly<Record<'maxSurge' | 'maxUnavailable', string | number>>
  }

/** True where the replicas run all together or not at all. */
export function isGang({ spec: { gang } }: { readonly spec: Gang }): boolean {
  return gang !== undefined && gang !== false
}

/** True where losing one of the gang's replicas restarts them all. */
export function restartsWhole({ gang }: Gang): boolean {
  return gang === true || (typeof gang === 'object' && gang.restart === 'all')
}

/** How long a gang may hold machines and quota until all of it is ready. */
export function gangDeadlineMs({ gangDeadlineSeconds }: Deadline): number {
  return (gangDeadlineSeconds ?? LIMITS.gangDeadlineSeconds) * 1000
}

/** What the spec says beside `gang` that cannot be true of a gang. */
export function refuseContradictions(spec: Ganged, context: z.RefinementCtx): void {
  const refuse = (path: readonly string[], message: string, input: unknown): void => {
    context.addIssue({ code: 'custom', path: [...path], message, input })
  }
  const { gangDeadlineSeconds, availability, rollout, replicas = 1 } = spec
  if (!isGang({ spec })) {
    if (gangDeadlineSeconds === undefined) return
    refuse(['gangDeadlineSeconds'], 'is of no use without gang: true', gangDeadlineSeconds)
    return
  }
  if (replicas > LIMITS.gangReplicasMax) {
    const message = `must be at most ${String(LIMITS.gangReplicasMax)} with gang`
    refuse(['replicas'], message, replicas)
  }
  const { minAvailable } = availability
  if (minAvailable !== undefined && minAvailable !== '100%') {
    const message = 'must be 100% or left out: a gang runs whole or not at all'
    refuse(['availability', 'minAvailable'], message, minAvailable)
  }
  const whole = 'a gang is stopped whole and then started whole'
  if (![DEFAULT_ROLL, 0, '0%'].includes(rollout.maxSurge)) {
    refuse(['rollout', 'maxSurge'], `must be 0 or left out: ${whole}`, rollout.maxSurge)
  }
  if (![DEFAULT_ROLL, '100%'].includes(rollout.maxUnavailable)) {
    const message = `must be 100% or left out: ${whole}`
    refuse(['rollout', 'maxUnavailable'], message, rollout.maxUnavailable)
  }
}

/** What a spec that says nothing of its roll-out is stored with. */
const DEFAULT_ROLL: string | number = '25%'
