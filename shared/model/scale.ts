/**
 * Scale: how many replicas a workload has when it is no fixed number.
 *
 * Each metric says how many replicas there should be, and the most counts. Tolerance, stabilisation
 * and policies are those of Kubernetes' HorizontalPodAutoscaler, with its defaults; what it takes
 * another tool to do, to go to zero and back, is a part of it here.
 */
import { z } from 'zod'
import { LIMITS } from './limits.ts'
import { isUsage, metricSchema, sourceOf } from './metric.ts'
import { parseMib, parseMilli } from './quantities.ts'

const seconds = (max: number): z.ZodInt => z.int().min(1).max(max)

const policySchema = z
  .strictObject({
    type: z.enum(['Pods', 'Percent']).describe('what value counts'),
    value: z.int().min(1).max(LIMITS.replicasMax).describe('so many replicas, or percent of them'),
    periodSeconds: seconds(LIMITS.scalePolicySecondsMax).describe('no more within so long'),
  })
  .meta({ id: 'ScalePolicy' })

type Policy = z.infer<typeof policySchema>
type Pace = { readonly stabilizationWindowSeconds: number; readonly policies: readonly Policy[] }

const paceOf = ({ stabilizationWindowSeconds, policies }: Pace) =>
  z
    .strictObject({
      stabilizationWindowSeconds: z
        .int()
        .min(0)
        .max(LIMITS.scaleWindowSecondsMax)
        .default(stabilizationWindowSeconds)
        .describe('what was recommended within so long holds it back'),
      selectPolicy: z
        .enum(['Max', 'Min', 'Disabled'])
        .default('Max')
        .describe('of several policies the one that allows most or least; Disabled: never'),
      policies: z
        .array(policySchema)
        .min(1)
        .max(LIMITS.scalePoliciesMax)
        .default([...policies])
        .describe('how fast it goes'),
    })
    .prefault({})

export const behaviorSchema = z.strictObject({
  tolerance: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('what is so near to the target, as a part of it, changes nothing'),
  scaleUp: paceOf({
    stabilizationWindowSeconds: 0,
    policies: [
      { type: 'Percent', value: 100, periodSeconds: 15 },
      { type: 'Pods', value: 4, periodSeconds: 15 },
    ],
  }).describe('how more are started'),
  scaleDown: paceOf({
    stabilizationWindowSeconds: 300,
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  }).describe('how some are stopped'),
})

export const scaleSchema = z
  .strictObject({
    min: z.int().min(0).max(LIMITS.replicasMax).default(1).describe('never fewer'),
    max: z.int().min(1).max(LIMITS.replicasMax).describe('never more'),
    metrics: z
      .array(metricSchema)
      .min(1)
      .max(LIMITS.metricsPerWorkload)
      .describe('each says how many there should be, and the most counts'),
    behavior: behaviorSchema.prefault({}).describe('how fast it follows'),
    cooldownSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(300)
      .describe('with min 0: nothing has gone on for so long before the last ones stop'),
  })
  .superRefine(({ min, max, metrics }, context) => {
    const refuse = (path: readonly PropertyKey[], message: string, input: unknown): void => {
      context.addIssue({ code: 'custom', path: [...path], message, input })
    }
    if (min > max) refuse(['min'], `must be at most max (${String(max)})`, min)
    if (min === 0 && metrics.every(isUsage)) {
      refuse(['min'], 'must be 1 or more: what nobody runs uses nothing, and never comes back', min)
    }
    metrics.forEach((metric, i) => {
      if (metric.type === 'schedule' && metric.from === metric.to) {
        refuse(['metrics', i, 'to'], 'must be another time than from', metric.to)
      }
      const source = sourceOf(metric)
      if (metrics.findIndex((own) => sourceOf(own) === source) < i) {
        refuse(['metrics', i], `must be there once: an earlier one is the same`, undefined)
      }
    })
  })
  .meta({ id: 'Scale' })

export type Scale = z.infer<typeof scaleSchema>
export type Behavior = Scale['behavior']
type Counted = {
  readonly replicas?: number | undefined
  readonly scale?: Scale | undefined
  readonly gang?: unknown
  readonly resources: Readonly<Record<'cpu' | 'memory' | 'gpu', string | number>>
}

/** What the spec says beside `scale` that cannot be true of a workload that has one. */
export function refuseUnscalable(spec: Counted, context: z.RefinementCtx): void {
  const { replicas, scale, gang, resources } = spec
  if (scale === undefined) return
  const refuse = (path: readonly PropertyKey[], message: string, input: unknown): void => {
    context.addIssue({ code: 'custom', path: [...path], message, input })
  }
  if (replicas !== undefined) {
    refuse(['replicas'], 'must be left out beside scale, which says how many', replicas)
  }
  if (gang !== undefined && gang !== false) {
    refuse(['scale'], 'is of no use with gang: a gang runs whole or not at all', undefined)
  }
  const asked = {
    cpu: parseMilli(resources.cpu),
    memory: parseMib(resources.memory),
    gpu: parseMilli(resources.gpu),
  }
  scale.metrics.forEach((metric, i) => {
    if (!isUsage(metric) || asked[metric.type] !== 0) return
    const message = `is of no use: its replicas ask for no ${metric.type}`
    refuse(['scale', 'metrics', i], message, undefined)
  })
}
