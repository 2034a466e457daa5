import { describe, expect, it } from 'vitest'
import { parseDocument } from '#shared/protocol/documents.ts'

const PUSHED = { type: 'pushed', name: 'orders', target: 20 }

/** What is wrong with a workload of that scale, `path: message`. */
function faultsOf(scale: unknown, over: object = {}): readonly string[] {
  const body = { command: ['serve'], scale, ...over }
  const parsed = parseDocument(body, { noun: 'workload', name: 'web' })
  return parsed.ok ? [] : parsed.faults.map((own) => `${own.path}: ${own.message}`)
}

describe('scale', () => {
  it('needs a max and a metric, and fills in what Kubernetes would', () => {
    const parsed = parseDocument(
      { command: ['serve'], scale: { max: 3, metrics: [PUSHED] } },
      { noun: 'workload', name: 'web' },
    )
    expect(parsed).toMatchObject({
      ok: true,
      document: {
        spec: {
          scale: {
            min: 1,
            cooldownSeconds: 300,
            behavior: {
              tolerance: 0.1,
              scaleUp: { stabilizationWindowSeconds: 0, selectPolicy: 'Max' },
              scaleDown: { stabilizationWindowSeconds: 300, selectPolicy: 'Max' },
            },
            metrics: [{ activation: 0, maxAgeSeconds: 300 }],
          },
        },
      },
    })
    expect(faultsOf({})).toEqual([
      'scale.max: is needed: a number',
      'scale.metrics: is needed: a list',
    ])
  })

  it('says how many instead of replicas, and not for a gang', () => {
    const scale = { max: 3, metrics: [PUSHED] }
    expect(faultsOf(scale, { replicas: 2 })).toEqual([
      'replicas: must be left out beside scale, which says how many, not 2',
    ])
    expect(faultsOf(scale, { gang: true })).toEqual([
      'scale: is of no use with gang: a gang runs whole or not at all',
    ])
  })

  it('cannot be had from less to more than there may be, or to none by what nobody uses', () => {
    expect(faultsOf({ min: 4, max: 3, metrics: [PUSHED] })).toEqual([
      'scale.min: must be at most max (3), not 4',
    ])
    expect(faultsOf({ min: 0, max: 3, metrics: [{ type: 'cpu', targetPercent: 50 }] })).toEqual([
      'scale.min: must be 1 or more: what nobody runs uses nothing, and never comes back, not 0',
    ])
    expect(faultsOf({ max: 3, metrics: [{ type: 'gpu', targetPercent: 50 }] })).toEqual([
      'scale.metrics[0]: is of no use: its replicas ask for no gpu',
    ])
    expect(faultsOf({ max: 3, metrics: [PUSHED, { ...PUSHED, target: 5 }] })).toEqual([
      'scale.metrics[1]: must be there once: an earlier one is the same',
    ])
  })

  it('says what a metric lacks, whatever its type', () => {
    const one = (metric: object): readonly string[] => faultsOf({ max: 3, metrics: [metric] })
    expect(one({ type: 'sqs', queueUrl: 'orders', target: 0 })).toEqual([
      'scale.metrics[0].queueUrl: must be like ' +
        'https://sqs.us-east-1.amazonaws.com/111122223333/orders, not "orders"',
      'scale.metrics[0].target: must be more than 0, not 0',
    ])
    expect(one({ type: 'kafka' })).toEqual([
      'scale.metrics[0].type: must have a type: ' +
        'sqs, cloudwatch, schedule, http, pushed, cpu, memory, gpu, not {"type":"kafka"}',
    ])
    const times = { from: '8:00', to: '24:00' }
    expect(one({ type: 'schedule', timeZone: 'Berlin', replicas: 2, ...times })).toEqual([
      'scale.metrics[0].timeZone: must be a time zone, like Europe/Berlin or UTC, not "Berlin"',
      'scale.metrics[0].from: must be a time of day, like "08:00", not "8:00"',
    ])
    const same = { from: '08:00', to: '08:00' }
    expect(one({ type: 'schedule', timeZone: 'UTC', replicas: 2, ...same })).toEqual([
      'scale.metrics[0].to: must be another time than from, not "08:00"',
    ])
    expect(one({ type: 'http', url: 'ftp://x/', path: 'a', target: 1 })).toEqual([
      'scale.metrics[0].url: must be like https://example.com/backlog, not "ftp://x/"',
      'scale.metrics[0].path: must be a JSON pointer, like /queue/waiting, not "a"',
    ])
    expect(one({ ...PUSHED, targt: 3 })).toEqual([
      "scale.metrics[0].targt: unknown field 'targt'; did you mean 'target'?",
    ])
  })

  it('is kept by a document that does not say how many', () => {
    const scale = { max: 3, metrics: [PUSHED] }
    const stored = parseDocument({ command: ['a'], scale }, { noun: 'workload', name: 'web' })
    const count = stored.ok && stored.document.noun === 'workload' ? stored.document.spec : {}
    const again = parseDocument({ command: ['b'] }, { noun: 'workload', name: 'web', count })
    expect(again).toMatchObject({ ok: true, document: { spec: { scale: { max: 3 } } } })
  })
})
