import { beforeEach, describe, expect, it } from 'vitest'
import { bindPorts, makeHandler } from '#functions/autoscale.ts'
import { EnvironmentError } from '#shared/base/environment.ts'
import { makeLogger } from '#shared/base/log.ts'
import {
  makeMemoryMetricSource,
  type MemoryMetricSource,
} from '#shared/cloud/memory-metric-source.ts'
import { unread } from '#shared/cloud/metric-source.ts'
import { autoscale, type AutoscalePorts } from '#shared/controllers/autoscale.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { scaleTargetSchema, type ScaleTarget } from '#shared/model/scale-target.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import { keys } from '#shared/store/keys.ts'
import { StoreError, type Change, type Store } from '#shared/store/store.ts'
import { addNode, makeWorld, START_MS, type World } from './admin-api/world.ts'

const QUEUE = 'https://sqs.us-east-1.amazonaws.com/111122223333/'
const sqs = (name: string, target = 5) => ({ type: 'sqs', queueUrl: QUEUE + name, target })
const metricsOf = (...metrics: object[]) => ({ min: 1, max: 10, metrics })

let world: World
let metrics: MemoryMetricSource
let nowMs: number
let changes: Change[]

beforeEach(() => {
  world = makeWorld()
  metrics = makeMemoryMetricSource()
  nowMs = START_MS
  changes = []
  world.store.changes((change) => changes.push(change))
})

const ports = (over: Partial<AutoscalePorts> = {}): AutoscalePorts => ({
  ...{ store: world.store, metrics, clock: { now: () => nowMs } },
  log: makeLogger((line) => world.log.push(line)),
  ...over,
})

async function apply(name: string, scale: object, over: object = {}): Promise<string> {
  const { body } = await world.send('PUT', `/v1/workloads/${name}`, {
    ...{ command: ['serve'], scale, resources: { cpu: '500m' } },
    ...over,
  })
  expect(body).toMatchObject({ kind: 'Workload' })
  return String((await world.store.get(keys.spec('workload', name)))?.['uid'])
}

async function targetOf(uid: string): Promise<ScaleTarget | undefined> {
  const item = await world.store.get(keys.target(uid))
  return item === undefined ? undefined : scaleTargetSchema.parse(item)
}

describe('a look', () => {
  it('is all but free where nothing is scaled', async () => {
    await world.send('PUT', '/v1/workloads/web', { command: ['serve'], replicas: 2 })
    const store = { ...world.store, scan: () => Promise.reject(new Error('scanned')) }
    expect(await makeHandler(ports({ store }))({})).toEqual({
      ...{ scaled: 0, written: 0, changed: 0, removed: 0 },
    })
  })

  it('writes how many each is to have, and nothing while nothing is new', async () => {
    const [web, mail] = [
      await apply('web', metricsOf(sqs('web'))),
      await apply('mail', metricsOf(sqs('mail'))),
    ]
    metrics.set('sqs web', 20)
    metrics.set('sqs mail', 3)
    expect(await autoscale(ports())).toEqual({ scaled: 2, written: 2, changed: 1, removed: 0 })
    expect(await targetOf(web)).toMatchObject({ name: 'web', replicas: 4 })
    expect(await targetOf(mail)).toMatchObject({ name: 'mail', replicas: 1 })
    changes = []
    // What moves by less than a tenth is not told again.
    metrics.set('sqs web', 20.4)
    for (let i = 0; i < 5; i += 1) {
      nowMs += 60_000
      expect(await autoscale(ports())).toEqual({ scaled: 2, written: 0, changed: 0, removed: 0 })
    }
    expect(changes).toEqual([])
  })

  it('reads what several ask for once', async () => {
    await apply('web', metricsOf(sqs('jobs', 5)))
    await apply('mail', metricsOf(sqs('jobs', 50)))
    await autoscale(ports())
    expect(metrics.asked).toEqual(['sqs jobs'])
  })

  it('lets no metric that cannot be read keep another workload', async () => {
    const [bad, good] = [
      await apply('bad', metricsOf(sqs('gone'))),
      await apply('good', metricsOf(sqs('web'))),
    ]
    metrics.set('sqs gone', unread('ReadFailed', 'it could not be asked (QueueDoesNotExist)'))
    metrics.set('sqs web', 25)
    await autoscale(ports())
    expect(await targetOf(good)).toMatchObject({ replicas: 5 })
    expect(await targetOf(bad)).toMatchObject({
      replicas: 1,
      readings: [{ metric: 'sqs gone', error: { code: 'ReadFailed' } }],
      held: { code: 'MetricUnread' },
    })
  })

  it('stops reading when its time is up, and says so of the rest', async () => {
    const many = LIMITS.metricReadsInFlight + 3
    const uids: string[] = []
    for (let i = 0; i < many; i += 1) {
      uids.push(await apply(`w${String(i)}`, metricsOf(sqs(`q${String(i)}`))))
    }
    const slow = {
      read: () => {
        nowMs += LIMITS.metricReadMs
        return Promise.resolve(unread('TimedOut', 'no answer'))
      },
    }
    await autoscale(ports({ metrics: slow }))
    const codes = await Promise.all(
      uids.map(async (uid) => (await targetOf(uid))?.readings[0]?.error?.code),
    )
    expect(codes.filter((own) => own === 'TimedOut').length).toBeGreaterThan(0)
    expect(codes.filter((own) => own === 'NotRead').length).toBeGreaterThan(0)
    expect(codes.filter((own) => own === undefined)).toEqual([])
  })

  it('takes away what it said of workloads that are gone, or are not scaled any more', async () => {
    const uids = [
      await apply('web', metricsOf(sqs('web'))),
      await apply('mail', metricsOf(sqs('mail'))),
    ]
    await autoscale(ports())
    await world.send('DELETE', '/v1/workloads/web')
    await world.send('PUT', '/v1/workloads/mail', { command: ['serve'], replicas: 2 })
    expect(await autoscale(ports())).toMatchObject({ scaled: 0, removed: 2 })
    for (const uid of uids) expect(await targetOf(uid)).toBeUndefined()
  })
})

describe('what replicas use', () => {
  const spec = workloadSpecSchema.parse({ command: ['node', 'serve.js'], replicas: 1 })
  const version = versionOf(templateOf(spec))
  const arnOf = (node: string) => `arn:aws:ec2:us-east-1:000000000000:instance/i-${node}`

  async function open(): Promise<string> {
    const uid = await apply('web', metricsOf({ type: 'cpu', targetPercent: 50 }))
    const bound = (id: string, readySinceMs?: number) => ({
      ...{ id, uid, version },
      ...(readySinceMs === undefined ? {} : { readySinceMs }),
    })
    await addNode(world, 'n1', {
      bootId: 'boot-n1',
      replicas: [bound('web/1', START_MS), bound('web/2', START_MS), bound('web/3')],
    })
    await addNode(world, 'n2', { bootId: 'boot-n2', replicas: [bound('web/4', START_MS)] })
    return uid
  }

  const beat = (node: string, usage: object, over: object = {}) =>
    world.store.write({
      kind: 'put',
      item: {
        ...keys.beat(arnOf(node)),
        ...{ kind: 'beat', arn: arnOf(node), bootId: `boot-${node}`, atMs: nowMs, usage },
        ...over,
      },
    })

  it('is summed over those that serve, by what each of them requests', async () => {
    const uid = await open()
    // 500m are requested: 80 %, 40 % and 60 %; who is not ready counts for nothing.
    await beat('n1', {
      'web/1': { cpuMilli: 400 },
      'web/2': { cpuMilli: 200 },
      'web/3': { cpuMilli: 9_000 },
    })
    await beat('n2', { 'web/4': { cpuMilli: 300 } })
    await autoscale(ports())
    expect(await targetOf(uid)).toMatchObject({
      replicas: 4,
      readings: [{ metric: 'cpu', value: 60, target: 50, replicas: 4 }],
    })
  })

  it('is what a node says of its own replicas, lately and since it booted', async () => {
    const uid = await open()
    await beat('n1', { 'web/1': { cpuMilli: 250 }, 'web/4': { cpuMilli: 90_000 } })
    await beat('n2', { 'web/4': { cpuMilli: 90_000 } }, { bootId: 'another' })
    await autoscale(ports())
    expect(await targetOf(uid)).toMatchObject({ replicas: 1, readings: [{ value: 50 }] })
    nowMs += LIMITS.usageMaxAgeMs + 1
    await autoscale(ports())
    expect(await targetOf(uid)).toMatchObject({ readings: [{ error: { code: 'NotMeasured' } }] })
  })

  it('that is nonsense is no usage, and its node beats on', async () => {
    const uid = await open()
    await beat('n1', { 'web/1': { cpuMilli: -1 } })
    await beat('n2', { 'web/4': { cpuMilli: 500 } })
    await autoscale(ports())
    expect(await targetOf(uid)).toMatchObject({ readings: [{ value: 100 }] })
  })
})

describe('when the table fails', () => {
  it('throws once everything else is written', async () => {
    const [a, b] = [await apply('a', metricsOf(sqs('a'))), await apply('b', metricsOf(sqs('b')))]
    metrics.set('sqs a', 50)
    metrics.set('sqs b', 50)
    const store: Store = {
      ...world.store,
      write: (write) =>
        write.kind === 'put' && write.item.sk === a
          ? Promise.reject(new StoreError({ text: 'throttled' }))
          : world.store.write(write),
    }
    await expect(autoscale(ports({ store }))).rejects.toThrow('throttled')
    expect(await targetOf(a)).toBeUndefined()
    expect(await targetOf(b)).toMatchObject({ replicas: 5 })
  })

  it('leaves what another look has written meanwhile', async () => {
    const uid = await apply('web', metricsOf(sqs('web')))
    metrics.set('sqs web', 10)
    await autoscale(ports())
    metrics.set('sqs web', 40)
    nowMs += 1_000
    const store: Store = {
      ...world.store,
      scan: async () => {
        const items = await world.store.scan()
        metrics.set('sqs web', 45)
        await autoscale(ports())
        return items
      },
    }
    nowMs += 1_000
    expect(await autoscale(ports({ store }))).toMatchObject({ written: 0, changed: 0 })
    // From one on, within a quarter of a minute: four more.
    expect(await targetOf(uid)).toMatchObject({ replicas: 5, lastScaled: { from: 2, to: 5 } })
  })
})

it('takes its settings from the environment and names what is missing', () => {
  expect(bindPorts({ DROVER_TABLE: 't', AWS_REGION: 'us-east-1' })).toBeDefined()
  expect(() => bindPorts({})).toThrow(EnvironmentError)
})
