/**
 * The handlers through their front door: events as AWS sends them, in and out.
 */
import type { DynamoDBRecord, SQSRecord } from 'aws-lambda'
import { describe, expect, test } from 'vitest'
import * as burnIn from '#functions/burn-in.ts'
import * as interruption from '#functions/interruption.ts'
import * as wake from '#functions/wake.ts'
import { EnvironmentError } from '#shared/base/environment.ts'
import { silentLogger } from '#shared/base/log.ts'
import { makeMemoryQueue } from '#shared/cloud/memory-queue.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { parseWakeMessage } from '#shared/protocol/wake-message.ts'
import { keys } from '#shared/store/keys.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'

const ENVIRONMENT = {
  DROVER_TABLE: 'table',
  DROVER_WAKE_QUEUE_URL: 'http://127.0.0.1:1/0/wakes.fifo',
  DROVER_DELAY_QUEUE_URL: 'http://127.0.0.1:1/0/delayed',
  DROVER_CLUSTER: 'test',
  AWS_REGION: 'us-east-1',
  DROVER_HISTORY_TABLE: 'history',
}

function open() {
  const clock = makeVirtualClock(1_000)
  const store = makeMemoryStore()
  const queue = makeMemoryQueue({ clock })
  const reasons = (): string[] =>
    queue.fifo.receive(1e9).map(({ body }) => parseWakeMessage(body).reason)
  const history = makeMemoryStore()
  return { ports: { store, history, queue, clock, log: silentLogger }, store, reasons }
}

function streamRecord(kind: string, fields: Record<string, { S: string } | { N: string }> = {}) {
  return {
    eventName: 'INSERT',
    eventSource: 'aws:dynamodb',
    dynamodb: {
      Keys: { pk: { S: `spec#workload` }, sk: { S: 'web' } },
      NewImage: { pk: { S: 'spec#workload' }, sk: { S: 'web' }, kind: { S: kind }, ...fields },
    },
  } satisfies DynamoDBRecord
}

describe('wake', () => {
  test('takes records of the stream', async () => {
    const { ports, reasons } = open()
    const handler = wake.makeHandler(ports)
    await handler({ Records: [streamRecord('beat'), streamRecord('spec')] })
    expect(reasons()).toEqual(['changed: spec'])
  })

  test('takes messages of the delay queue', async () => {
    const { ports, reasons } = open()
    const record = {
      eventSource: 'aws:sqs',
      body: JSON.stringify({ reason: 'deadline', sentAtMs: 1 }),
    } as SQSRecord
    await wake.makeHandler(ports)({ Records: [record] })
    expect(reasons()).toEqual(['deadline'])
  })

  test('throws for a record that is none of the table’s', async () => {
    const { ports } = open()
    const record = { eventSource: 'aws:dynamodb', dynamodb: {} }
    await expect(wake.makeHandler(ports)({ Records: [record] })).rejects.toThrow('BadStreamRecord')
  })
})

describe('interruption', () => {
  test('takes an event of EventBridge', async () => {
    const { ports, store } = open()
    await interruption.makeHandler(ports)({
      'detail-type': 'EC2 Instance State-change Notification',
      source: 'aws.ec2',
      account: '111122223333',
      region: 'us-east-1',
      time: '2026-11-22T10:00:00Z',
      detail: { 'instance-id': 'i-01', state: 'terminated' },
    })
    expect(await store.get(keys.signal('i-01'))).toMatchObject({ state: { value: 'terminated' } })
  })

  test('throws what belongs in the dead-letter queue', async () => {
    const { ports } = open()
    await expect(interruption.makeHandler(ports)({})).rejects.toThrow('MalformedEvent')
  })
})

describe('burn-in', () => {
  test('takes records of the stream, and its schedule', async () => {
    const { ports } = open()
    const seen: string[] = []
    const log = { ...silentLogger, info: (text: string) => seen.push(text) }
    const handler = burnIn.makeHandler({ ...ports, log })
    const record = streamRecord('report')
    await handler({ Records: [record] })
    expect(seen).toEqual(['burn-in looked at'])
    const scheduled = {
      version: '0',
      id: '1',
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      account: '1',
      time: '',
      region: '',
      resources: [],
      detail: {},
    } as const
    await handler({ ...scheduled, resources: [] })
    expect(seen).toHaveLength(1)
  })
})

describe('binding', () => {
  test.each([
    ['wake', wake.bindPorts],
    ['interruption', interruption.bindPorts],
    ['burn-in', burnIn.bindPorts],
  ])('%s takes its settings from the environment and names what is missing', (_, bind) => {
    expect(bind(ENVIRONMENT)).toBeDefined()
    expect(() => bind({})).toThrow(EnvironmentError)
    expect(() => bind({})).toThrow(/DROVER_[A-Z_]+: is not set/)
  })
})
