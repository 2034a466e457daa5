import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { makeLogger } from '#shared/base/log.ts'
import { makeEmfMetrics } from '#shared/cloud/aws/emf-metrics.ts'
import { makeEventBridgeBus } from '#shared/cloud/aws/event-bridge-bus.ts'
import { makeRandomIds } from '#shared/cloud/aws/random-ids.ts'
import type { Bus } from '#shared/cloud/bus.ts'
import { makeCountingIds } from '#shared/cloud/counting-ids.ts'
import { makeMemoryBus } from '#shared/cloud/memory-bus.ts'
import { makeMemoryMetrics } from '#shared/cloud/memory-metrics.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { eventSchema } from '#shared/model/event.ts'
import { LIMITS } from '#shared/model/limits.ts'
import {
  describeBus,
  describeIds,
  describeMetrics,
  makeEvent,
  type Recorded,
} from '../conformance/small-ports.ts'

describeIds('counting', () => makeCountingIds())
describeIds('random', () => makeRandomIds())

test('counting ids are the same in every run', () => {
  const ids = makeCountingIds('t')
  expect([ids.uid(), ids.uid()]).toEqual(['t000001', 't000002'])
})

// The bus

type Entry = { Source: string; DetailType: string; EventBusName: string; Detail: string }
type Answer = { status?: number; body: unknown } | 'silence'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A stand-in for EventBridge's wire that answers each call as told. */
async function openEventBridge(
  answer: (entries: readonly Entry[], call: number) => Answer,
): Promise<{
  bus: Bus
  calls: Entry[][]
  lines: string[]
}> {
  const calls: Entry[][] = []
  const lines: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { Entries } = JSON.parse(Buffer.concat(chunks).toString()) as { Entries: Entry[] }
      calls.push(Entries)
      const given = answer(Entries, calls.length)
      if (given === 'silence') return
      response.writeHead(given.status ?? 200, { 'content-type': 'application/x-amz-json-1.1' })
      response.end(JSON.stringify(given.body))
    })
  })
  servers.push(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const bus = makeEventBridgeBus({
    busName: 'herd',
    cluster: 'test',
    clock: makeVirtualClock(0, { jumping: true }),
    log: makeLogger((line) => lines.push(line)),
    client: {
      endpoint: `http://127.0.0.1:${String(port)}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    },
  })
  return { bus, calls, lines }
}

const takeAll = (entries: readonly Entry[]): Answer => ({
  body: { FailedEntryCount: 0, Entries: entries.map((_, n) => ({ EventId: String(n) })) },
})

describeBus('memory', () => {
  const bus = makeMemoryBus()
  return Promise.resolve({ bus, published: () => Promise.resolve(bus.published) })
})
describeBus('EventBridge', async () => {
  const { bus, calls } = await openEventBridge(takeAll)
  const published = (): Promise<ReturnType<typeof eventSchema.parse>[]> =>
    Promise.resolve(calls.flat().map(({ Detail }) => eventSchema.parse(JSON.parse(Detail))))
  return { bus, published }
})

test('the memory bus forgets the oldest events', async () => {
  const bus = makeMemoryBus(2)
  await bus.publish([makeEvent(1), makeEvent(2), makeEvent(3)])
  expect(bus.published).toEqual([makeEvent(2), makeEvent(3)])
})

describe('the EventBridge bus', () => {
  test('names its bus, source and cluster, ten events a call', async () => {
    const { bus, calls } = await openEventBridge(takeAll)
    await bus.publish(Array.from({ length: 11 }, (_, n) => makeEvent(n)))
    expect(calls.map((entries) => entries.length)).toEqual([10, 1])
    const [entry] = calls[1]!
    expect(entry).toMatchObject({
      Source: 'drover',
      DetailType: 'Drover Event',
      EventBusName: 'herd',
    })
    expect(JSON.parse(entry!.Detail)).toMatchObject({ cluster: 'test', reason: 'Scaled' })
  })

  test('sends again only what was not taken', async () => {
    const { bus, calls, lines } = await openEventBridge((entries, call) =>
      call === 1
        ? {
            body: {
              FailedEntryCount: 1,
              Entries: [{ EventId: 'a' }, { ErrorCode: 'ThrottlingException' }],
            },
          }
        : takeAll(entries),
    )
    await bus.publish([makeEvent(1), makeEvent(2)])
    expect(calls.map((entries) => entries.length)).toEqual([2, 1])
    expect(calls[1]![0]!.Detail).toContain('to 2')
    expect(lines).toEqual([])
  })

  test('logs what it loses and never throws', async () => {
    const { bus, calls, lines } = await openEventBridge(() => ({
      status: 500,
      body: { __type: 'InternalException' },
    }))
    await bus.publish([makeEvent(1)])
    expect(calls).toHaveLength(LIMITS.busAttempts)
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'warn', count: 1 })
  })

  test('gives up the rest when its time is up, and says how much that was', async () => {
    const { bus, calls, lines } = await openEventBridge(() => ({
      status: 500,
      body: { __type: 'InternalException' },
    }))
    await bus.publish(Array.from({ length: 200 }, (_, n) => makeEvent(n)))
    // A batch in vain takes its pauses: the virtual clock knows no others.
    const pausesMs = 3 * LIMITS.busRetryPauseMs
    const batches = Math.ceil(LIMITS.busPublishMs / pausesMs)
    expect(calls.length).toBeLessThanOrEqual(batches * LIMITS.busAttempts)
    const lost = lines.map((line) => (JSON.parse(line) as { count: number }).count)
    expect(lost.reduce((a, b) => a + b)).toBe(200)
  })

  test('cuts a call short that gets no answer', async () => {
    const { bus, calls } = await openEventBridge((entries, call) =>
      call === 1 ? 'silence' : takeAll(entries),
    )
    await bus.publish([makeEvent(1)])
    expect(calls).toHaveLength(2)
  })
})

// Metrics

describeMetrics('memory', () => {
  const metrics = makeMemoryMetrics()
  return {
    metrics,
    last: (name): Recorded | undefined => {
      const figures = metrics.figures(name)
      return figures && { name, value: figures.last, unit: figures.unit }
    },
  }
})

type EmfLine = {
  _aws: {
    Timestamp: number
    CloudWatchMetrics: {
      Namespace: string
      Dimensions: string[][]
      Metrics: { Name: string; Unit: Recorded['unit'] }[]
    }[]
  }
} & Record<string, unknown>

describeMetrics('embedded', () => {
  const lines: string[] = []
  const metrics = makeEmfMetrics({
    clock: makeVirtualClock(7_000),
    cluster: 'test',
    write: (line) => lines.push(line),
  })
  const last = (name: string): Recorded | undefined => {
    const line = lines
      .map((text) => JSON.parse(text) as EmfLine)
      .findLast((own) => typeof own[name] === 'number')
    const unit = line?._aws.CloudWatchMetrics[0]?.Metrics[0]?.Unit
    return unit === undefined ? undefined : { name, value: line?.[name] as number, unit }
  }
  return { metrics, last }
})

describe('embedded metrics', () => {
  test('say all that CloudWatch asks for, with one dimension', () => {
    const lines: string[] = []
    const clock = makeVirtualClock(7_000)
    makeEmfMetrics({ clock, cluster: 'test', write: (line) => lines.push(line) }).record(
      'GoodPass',
      1,
      'Count',
    )
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        _aws: {
          Timestamp: 7_000,
          CloudWatchMetrics: [
            {
              Namespace: 'Drover',
              Dimensions: [['cluster']],
              Metrics: [{ Name: 'GoodPass', Unit: 'Count' }],
            },
          ],
        },
        cluster: 'test',
        GoodPass: 1,
      },
    ])
  })

  test('say in the log when a value is no number', () => {
    const lines: string[] = []
    const clock = makeVirtualClock()
    const metrics = makeEmfMetrics({ clock, cluster: 'test', write: (line) => lines.push(line) })
    metrics.record('Ratio', Number.NaN, 'None')
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'warn' })
  })
})

test('memory metrics keep figures, not points', () => {
  const metrics = makeMemoryMetrics()
  for (const value of [3, 1, 2]) metrics.record('Nodes', value, 'Count')
  expect(metrics.figures('Nodes')).toEqual({
    unit: 'Count',
    count: 3,
    sum: 6,
    min: 1,
    max: 3,
    last: 2,
  })
  expect(metrics.names()).toEqual(['Nodes'])
})
