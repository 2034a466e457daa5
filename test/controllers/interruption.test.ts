import { describe, expect, test } from 'vitest'
import { makeLogger } from '#shared/base/log.ts'
import { makeMemoryQueue } from '#shared/cloud/memory-queue.ts'
import { QueueError } from '#shared/cloud/queue-error.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { takeInEc2Event, type InterruptionPorts } from '#shared/controllers/interruption.ts'
import { instanceArn } from '#shared/model/arn.ts'
import { signalSchema, type Signal } from '#shared/model/facts.ts'
import { keys } from '#shared/store/keys.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import { StoreError } from '#shared/store/store.ts'

const NOW_MS = Date.UTC(2026, 10, 22, 10)
const OURS = 'i-0000000000000001'
const THEIRS = 'i-0000000000000002'
const place = { region: 'us-east-1', account: '111122223333' }

async function open() {
  const clock = makeVirtualClock(NOW_MS)
  const store = makeMemoryStore()
  const queue = makeMemoryQueue({ clock })
  const lines: string[] = []
  const log = makeLogger((line) => lines.push(line), 'debug')
  const arn = instanceArn({ ...place, instanceId: OURS })
  const head = { kind: 'assignment-head', arn, node: 'general-1-1', generation: 1 }
  await store.write({ kind: 'put', item: { ...keys.assignmentHead(arn), ...head } })
  const ports: InterruptionPorts = { store, queue, clock, log }
  const signalOf = async (instanceId: string): Promise<Signal | undefined> => {
    const item = await store.get(keys.signal(instanceId))
    return item && signalSchema.parse(item)
  }
  return { ports, store, queue, clock, lines, signalOf }
}

function event(detailType: string, detail: Record<string, unknown>, atMs = NOW_MS) {
  return {
    'detail-type': detailType,
    source: detailType.startsWith('AWS Health') ? 'aws.health' : 'aws.ec2',
    ...place,
    time: new Date(atMs).toISOString(),
    detail,
  }
}
const stateOf = (instanceId: string, state: string, atMs = NOW_MS) =>
  event('EC2 Instance State-change Notification', { 'instance-id': instanceId, state }, atMs)
const interruptionOf = (instanceId: string, atMs = NOW_MS) =>
  event(
    'EC2 Spot Instance Interruption Warning',
    { 'instance-id': instanceId, 'instance-action': 'terminate' },
    atMs,
  )
const healthOf = (...ids: string[]) =>
  event('AWS Health Event', {
    service: 'EC2',
    eventTypeCode: 'AWS_EC2_INSTANCE_STOP_SCHEDULED',
    eventTypeCategory: 'scheduledChange',
    affectedEntities: ids.map((entityValue) => ({ entityValue })),
  })

describe('interruption', () => {
  test('stores the signal of one of ours for an hour, and wakes', async () => {
    const { ports, store, queue, signalOf } = await open()
    await takeInEc2Event(ports, interruptionOf(OURS))
    expect(await signalOf(OURS)).toEqual({
      kind: 'signal',
      instanceId: OURS,
      interruption: { action: 'terminate', atMs: NOW_MS },
    })
    expect(queue.fifo.size).toBe(1)
    expect(store.expire(NOW_MS + 3_599_000)).toBe(0)
    expect(store.expire(NOW_MS + 3_601_000)).toBe(1)
  })

  test('stores an unknown instance’s signal without waking', async () => {
    const { ports, queue, signalOf } = await open()
    await takeInEc2Event(ports, interruptionOf(THEIRS))
    expect(await signalOf(THEIRS)).toMatchObject({ interruption: { action: 'terminate' } })
    expect(queue.fifo.size).toBe(0)
  })

  test('keeps the facts of different sorts beside one another', async () => {
    const { ports, signalOf } = await open()
    await takeInEc2Event(ports, interruptionOf(OURS))
    await takeInEc2Event(
      ports,
      event('EC2 Instance Rebalance Recommendation', { 'instance-id': OURS }),
    )
    await takeInEc2Event(ports, stateOf(OURS, 'shutting-down'))
    await takeInEc2Event(ports, healthOf(OURS))
    const signal = await signalOf(OURS)
    expect(Object.keys(signal ?? {}).sort()).toEqual([
      'health',
      'instanceId',
      'interruption',
      'kind',
      'rebalance',
      'state',
    ])
  })

  test('does not let a late event undo a newer one, and wakes all the same', async () => {
    const { ports, queue, clock, signalOf } = await open()
    await takeInEc2Event(ports, stateOf(OURS, 'terminated', NOW_MS + 9_000))
    await clock.advance(1_000)
    await takeInEc2Event(ports, stateOf(OURS, 'shutting-down', NOW_MS))
    expect((await signalOf(OURS))?.state).toEqual({ value: 'terminated', atMs: NOW_MS + 9_000 })
    expect(queue.fifo.size).toBe(2)
  })

  test('takes the same event twice without harm', async () => {
    const { ports, signalOf } = await open()
    await takeInEc2Event(ports, interruptionOf(OURS))
    const once = await signalOf(OURS)
    await takeInEc2Event(ports, interruptionOf(OURS))
    expect(await signalOf(OURS)).toEqual(once)
  })

  test('sends one wake for an event about many instances', async () => {
    const { ports, queue, signalOf } = await open()
    await takeInEc2Event(ports, healthOf(THEIRS, OURS, 'i-0000000000000003'))
    expect(queue.fifo.size).toBe(1)
    expect(await signalOf('i-0000000000000003')).toMatchObject({
      health: { code: 'AWS_EC2_INSTANCE_STOP_SCHEDULED' },
    })
  })

  test('stores the others’ signals when one fails, and asks for the event again', async () => {
    const { ports, store, queue, signalOf } = await open()
    const failing: InterruptionPorts = {
      ...ports,
      store: {
        get: (key) => store.get(key),
        update: (key, fields, when) =>
          key.pk.endsWith(THEIRS)
            ? Promise.reject(new StoreError({ text: 'the table is away' }))
            : store.update(key, fields, when),
      },
    }
    await expect(takeInEc2Event(failing, healthOf(THEIRS, OURS))).rejects.toThrow(
      'SignalsNotStored: 1 signals were not stored',
    )
    expect(await signalOf(OURS)).toBeDefined()
    expect(queue.fifo.size).toBe(1)
  })

  test('throws when the wake cannot be sent, and wakes when the event comes again', async () => {
    const { ports, queue } = await open()
    const away = { wake: () => Promise.reject(new QueueError({ text: 'the queue is away' })) }
    await expect(takeInEc2Event({ ...ports, queue: away }, interruptionOf(OURS))).rejects.toThrow(
      'the queue is away',
    )
    await takeInEc2Event(ports, interruptionOf(OURS))
    expect(queue.fifo.size).toBe(1)
  })

  test('ignores what it does not know, and throws what it cannot read', async () => {
    const { ports, store, lines } = await open()
    const before = store.size()
    await takeInEc2Event(ports, event('EC2 Something New', {}))
    await takeInEc2Event(
      ports,
      event('Capacity Block Reservation Expiration Warning', { 'capacity-reservation-id': 'cr-1' }),
    )
    await expect(
      takeInEc2Event(ports, event('EC2 Instance State-change Notification', {})),
    ).rejects.toThrow('MalformedEvent')
    expect(store.size()).toBe(before)
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual([
      'debug',
      'warn',
    ])
  })
})
