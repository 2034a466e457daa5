/**
 * Metrics: what says how many replicas a workload should have.
 *
 * One with a target is a total that the replicas share: a backlog, requests a second. So a replica
 * more in the sum, a surge or a canary, never asks for another. Processors, memory and GPUs are
 * what the replicas themselves use, of what they request.
 */
import { z } from 'zod'
import { canonicalJson } from '../base/equal.ts'
import { LIMITS } from './limits.ts'
import { nameSchema } from './names.ts'
import { amountSchema } from './quantities.ts'

const seconds = (max: number): z.ZodInt => z.int().min(1).max(max)

const amount = amountSchema.min(0)
const share = amount
  .refine((own) => own > 0, { error: 'must be more than 0' })
  .describe('so much of it one replica is to bear')
const activation = amount
  .default(0)
  .describe('at or below it nothing is going on: it may go to zero, and stays there')

const sqs = z
  .strictObject({
    type: z.literal('sqs'),
    queueUrl: z
      .string()
      .max(512)
      .regex(/^https?:\/\/[^\s/?#@]+\/\d{12}\/[\w-]{1,80}(\.fifo)?$/, {
        error: 'must be like https://sqs.us-east-1.amazonaws.com/111122223333/orders',
      })
      .describe('messages that wait, that are being worked on, and that are delayed'),
    target: share,
    activation,
  })
  .meta({ id: 'SqsMetric' })

const cloudwatch = z
  .strictObject({
    type: z.literal('cloudwatch'),
    namespace: z.string().min(1).max(255).describe('like AWS/ApplicationELB'),
    metricName: z.string().min(1).max(255).describe('like RequestCount'),
    dimensions: z
      .record(z.string().min(1).max(255), z.string().min(1).max(1_024))
      .refine((own) => Object.keys(own).length <= LIMITS.metricDimensionsMax, {
        error: `must have at most ${String(LIMITS.metricDimensionsMax)} entries`,
      })
      .default({})
      .describe('all of its dimensions, as CloudWatch has them'),
    statistic: z
      .string()
      .regex(/^(Average|Sum|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d{1,2})?|p100)$/, {
        error: 'must be Average, Sum, Minimum, Maximum, SampleCount, or like p99',
      })
      .default('Average')
      .describe('what is made of a period'),
    periodSeconds: z
      .int()
      .min(60)
      .max(86_400)
      .multipleOf(60, { error: 'must be whole minutes' })
      .default(60)
      .describe('the last period that has a value counts'),
    target: share,
    activation,
  })
  .meta({ id: 'CloudwatchMetric' })

const timeOfDay = (last: RegExp) =>
  z.string().regex(last, { error: 'must be a time of day, like "08:00"' })

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Day = (typeof DAYS)[number]

const schedule = z
  .strictObject({
    type: z.literal('schedule'),
    timeZone: z
      .string()
      .max(64)
      .refine(isTimeZone, { error: 'must be a time zone, like Europe/Berlin or UTC' })
      .describe('an IANA name; its clock counts, summer time and all'),
    days: z
      .array(z.enum(DAYS))
      .min(1)
      .optional()
      .describe('days on which it begins; without it, every day'),
    from: timeOfDay(/^([01]\d|2[0-3]):[0-5]\d$/).describe('when it begins'),
    to: timeOfDay(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/).describe(
      'when it ends; on the next day if that is no later than `from`',
    ),
    replicas: z.int().min(1).max(LIMITS.replicasMax).describe('no fewer meanwhile'),
  })
  .meta({ id: 'ScheduleMetric' })

const http = z
  .strictObject({
    type: z.literal('http'),
    url: z
      .string()
      .max(2_048)
      .regex(/^https?:\/\/[^\s/?#@]+([/?][^\s#]*)?$/, {
        error: 'must be like https://example.com/backlog',
      })
      .describe('a GET answers 200 and JSON; https, but on a laptop'),
    path: z
      .string()
      .max(512)
      .regex(/^(\/([^~/]|~[01])*)*$/, { error: 'must be a JSON pointer, like /queue/waiting' })
      .optional()
      .describe('where the number stands, as a JSON pointer; without it, the answer is the number'),
    target: share,
    activation,
  })
  .meta({ id: 'HttpMetric' })

const pushed = z
  .strictObject({
    type: z.literal('pushed'),
    name: nameSchema.describe('what it is pushed as'),
    target: share,
    activation,
    maxAgeSeconds: seconds(86_400).default(300).describe('an older value is none'),
  })
  .meta({ id: 'PushedMetric' })

const targetPercent = z
  .int()
  .min(1)
  .max(1_000)
  .describe('of what a replica requests, so much it is to use')

/** What its own replicas use, as the agents report it. */
const usageOf = <T extends string>(type: T, id: string) =>
  z.strictObject({ type: z.literal(type), targetPercent }).meta({ id })

const cpu = usageOf('cpu', 'CpuMetric')
const memory = usageOf('memory', 'MemoryMetric')
const gpu = usageOf('gpu', 'GpuMetric')

const SOURCES = [sqs, cloudwatch, schedule, http, pushed, cpu, memory, gpu] as const

export const metricSchema = z
  .discriminatedUnion('type', SOURCES, {
    error: ({ code }) => (code === 'invalid_union' ? `must have a type: ${TYPES}` : undefined),
  })
  .meta({ id: 'Metric', description: 'what says how many there should be' })

const TYPES = SOURCES.map((own) => own.shape.type.value).join(', ')

export type Metric = z.infer<typeof metricSchema>
export type MetricOf<T extends Metric['type']> = Extract<Metric, { type: T }>
/** What is read from outside the table. */
export type OutsideMetric = MetricOf<'sqs' | 'cloudwatch' | 'http'>
export type UsageMetric = MetricOf<'cpu' | 'memory' | 'gpu'>

export const isUsage = (metric: Metric): metric is UsageMetric =>
  metric.type === 'cpu' || metric.type === 'memory' || metric.type === 'gpu'

/** What a metric is called where people read of it. */
export function metricLabel(metric: Metric): string {
  switch (metric.type) {
    case 'sqs':
      return `sqs ${metric.queueUrl.split('/').slice(-1).join('')}`
    case 'cloudwatch': {
      const { namespace, metricName, statistic, dimensions } = metric
      const named = Object.entries(dimensions).map(([name, value]) => ` ${name}=${value}`)
      return `cloudwatch ${namespace} ${metricName} ${statistic}${named.join('')}`
    }
    case 'schedule':
      return ['schedule', `${metric.from}-${metric.to}`, ...(metric.days ?? [])].join(' ')
    case 'http':
      return `http ${metric.url}${metric.path === undefined ? '' : ` ${metric.path}`}`
    case 'pushed':
      return `pushed ${metric.name}`
    case 'cpu':
    case 'memory':
    case 'gpu':
      return metric.type
  }
}

/** Where it comes from, whatever it is compared with: two metrics of one source are read as one. */
export function sourceOf(metric: Metric): string {
  const {
    target: _target,
    activation: _activation,
    ...source
  } = { target: 0, activation: 0, ...metric }
  return canonicalJson(source)
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
