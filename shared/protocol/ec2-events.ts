/**
 * What EC2 and AWS Health say of instances, in drover's words.
 *
 * Each kind of event has its own shape and its own way of naming instances; after this file there
 * are only notices. Instance ids come from `detail` alone: `resources` carries two different forms
 * of ARN for the same event. Event kinds that drover does not know are ignored, for EventBridge may
 * send more than was asked for; an event of a known kind that cannot be read is an error, so that
 * it ends in the dead-letter queue where a person sees it.
 *
 * Shapes: the EC2 user guide (spot interruptions, rebalance recommendations, state changes,
 * capacity blocks, interruptible capacity reservations) and the AWS Health user guide (EventBridge
 * schema).
 */
import { z } from 'zod'
import { DroverError } from '../base/errors.ts'
import { instanceArn } from '../model/arn.ts'

/** What is said; each becomes the field of that name in the instance's signal. */
export type NoticeFact =
  | { readonly sort: 'interruption'; readonly action: string; readonly deadlineMs?: number }
  | { readonly sort: 'rebalance' }
  | { readonly sort: 'state'; readonly value: string }
  | { readonly sort: 'health'; readonly code: string; readonly startAtMs?: number }

/** One thing that was said of one instance, at the event's own time. */
export type InstanceNotice = {
  readonly instanceId: string
  readonly arn: string
  readonly atMs: number
  readonly fact: NoticeFact
}

export type Ec2Event =
  | { readonly kind: 'notices'; readonly notices: readonly InstanceNotice[] }
  /** Known, but it names no instance: nothing can be stored under it. */
  | { readonly kind: 'unaddressed'; readonly text: string }
  | { readonly kind: 'ignored'; readonly text: string }

export class Ec2EventError extends DroverError {
  constructor(detailType: string, seen: unknown, cause: unknown) {
    super({
      code: 'MalformedEvent',
      text: `an event "${detailType}" is not what EC2 documents`,
      seen: JSON.stringify(seen).slice(0, 500),
      next: 'read the event in the dead-letter queue; its shape may have changed',
      cause,
    })
  }
}

const envelopeSchema = z.object({
  'detail-type': z.string(),
  source: z.string(),
  account: z.string(),
  region: z.string(),
  time: z.iso.datetime(),
  detail: z.unknown(),
})
type Envelope = z.infer<typeof envelopeSchema>

const INSTANCE_ID = /^i-[0-9a-f]+$/
const instanceId = z.string().regex(INSTANCE_ID)
const httpDate = z.string().transform((text, context) => {
  const ms = Date.parse(text)
  if (!Number.isNaN(ms)) return ms
  context.addIssue({ code: 'custom', message: 'is no date' })
  return z.NEVER
})

const interruptionSchema = z.object({
  'instance-id': instanceId,
  'instance-action': z.string(),
  'instance-termination-time': httpDate.optional(),
})
const rebalanceSchema = z.object({ 'instance-id': instanceId })
const stateSchema = z.object({ 'instance-id': instanceId, state: z.string() })
const capacityBlockSchema = z.object({
  'capacity-reservation-id': z.string(),
  'end-date': z.string().optional(),
})
const healthSchema = z.object({
  service: z.string(),
  eventTypeCode: z.string(),
  eventTypeCategory: z.string(),
  statusCode: z.string().optional(),
  eventRegion: z.string().optional(),
  affectedAccount: z.string().optional(),
  startTime: httpDate.optional(),
  affectedEntities: z.array(z.object({ entityValue: z.string() })).default([]),
})

type Reader = (event: Envelope) => Ec2Event

const readers: Readonly<Record<string, Reader>> = {
  'aws.ec2/EC2 Spot Instance Interruption Warning': readInterruption,
  // Two pages of the documentation spell this one differently.
  'aws.ec2/EC2 Capacity Reservation Instance Interruption Warning': readInterruption,
  'aws.ec2/EC2 Interruptible Capacity Reservation Instance Interruption Warning': readInterruption,
  'aws.ec2/EC2 Instance Rebalance Recommendation': readRebalance,
  'aws.ec2/EC2 Instance State-change Notification': readState,
  'aws.ec2/Capacity Block Reservation Expiration Warning': readCapacityBlock,
  'aws.health/AWS Health Event': readHealth,
}

/** Reads one EventBridge event; throws Ec2EventError when a known kind has an unknown shape. */
export function parseEc2Event(raw: unknown): Ec2Event {
  const kind = kindOf(raw)
  const reader = readers[kind]
  if (reader === undefined) return { kind: 'ignored', text: `no event of ours: ${kind}` }
  try {
    return reader(envelopeSchema.parse(normalised(raw)))
  } catch (cause) {
    throw new Ec2EventError(kind, raw, cause)
  }
}

const kindSchema = z.object({ source: z.string(), 'detail-type': z.string() })

function kindOf(raw: unknown): string {
  const parsed = kindSchema.safeParse(normalised(raw))
  if (!parsed.success) throw new Ec2EventError('without source and detail-type', raw, parsed.error)
  return `${parsed.data.source}/${parsed.data['detail-type']}`
}

/** The capacity blocks' documentation prints `detail_type`; whichever comes is read. */
function normalised(raw: unknown): unknown {
  if (raw === null || typeof raw !== 'object' || !('detail_type' in raw)) return raw
  return { 'detail-type': raw.detail_type, ...raw }
}

function readInterruption(event: Envelope): Ec2Event {
  const detail = interruptionSchema.parse(event.detail)
  const deadlineMs = detail['instance-termination-time']
  return noticesOf(event, [detail['instance-id']], {
    sort: 'interruption',
    action: detail['instance-action'],
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  })
}

function readRebalance(event: Envelope): Ec2Event {
  const detail = rebalanceSchema.parse(event.detail)
  return noticesOf(event, [detail['instance-id']], { sort: 'rebalance' })
}

function readState(event: Envelope): Ec2Event {
  const detail = stateSchema.parse(event.detail)
  return noticesOf(event, [detail['instance-id']], { sort: 'state', value: detail.state })
}

function readCapacityBlock(event: Envelope): Ec2Event {
  const detail = capacityBlockSchema.parse(event.detail)
  const end = detail['end-date'] ?? 'an unknown time'
  return {
    kind: 'unaddressed',
    text: `capacity block ${detail['capacity-reservation-id']} ends at ${end}`,
  }
}

/**
 * What AWS means to do to a machine is a `scheduledChange`. Issues and notices to an account name
 * machines as well, whole fleets of them, and ask for nothing that drover could do.
 *
 * A Health event names many entities, over several pages that are events of their own; each page is
 * complete in itself. Copies reach a backup region too, so the event's region is the detail's.
 */
function readHealth(event: Envelope): Ec2Event {
  const detail = healthSchema.parse(event.detail)
  if (detail.service !== 'EC2') return { kind: 'ignored', text: `health of ${detail.service}` }
  if (detail.eventTypeCategory !== SCHEDULED) {
    return { kind: 'ignored', text: `${detail.eventTypeCode} is no scheduled change` }
  }
  if (detail.statusCode === 'closed') {
    return { kind: 'ignored', text: `${detail.eventTypeCode} is over` }
  }
  const ids = detail.affectedEntities
    .map(({ entityValue }) => entityValue)
    .filter((value) => INSTANCE_ID.test(value))
  if (ids.length === 0) {
    return { kind: 'unaddressed', text: `${detail.eventTypeCode} names no instance` }
  }
  const place = {
    ...event,
    region: detail.eventRegion ?? event.region,
    account: detail.affectedAccount ?? event.account,
  }
  return noticesOf(place, [...new Set(ids)], {
    sort: 'health',
    code: detail.eventTypeCode,
    ...(detail.startTime === undefined ? {} : { startAtMs: detail.startTime }),
  })
}

const SCHEDULED = 'scheduledChange'

function noticesOf(event: Envelope, ids: readonly string[], fact: NoticeFact): Ec2Event {
  const { region, account } = event
  const atMs = Date.parse(event.time)
  const notices = ids.map((id) => ({
    instanceId: id,
    arn: instanceArn({ region, account, instanceId: id }),
    atMs,
    fact,
  }))
  return { kind: 'notices', notices }
}
