import { describe, expect, test } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { judgeChanges, judgeReport, type BurnInPorts } from '#shared/controllers/burn-in.ts'
import { assignmentSchema } from '#shared/model/assignment.ts'
import type { AskedCertificate } from '#shared/model/burn-in.ts'
import { hardwareSchema, setIdOf, type GpuIdentity } from '#shared/model/hardware.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { reportSchema } from '#shared/model/report.ts'
import { verdictSchema, type CheckResult } from '#shared/model/verdict.ts'
import { readBurnIns } from '#shared/store/history.ts'
import { historyKeys, keys } from '#shared/store/keys.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import { asked } from '../asked.ts'

const NOW_MS = Date.UTC(2026, 10, 29, 12)
const arnOf = (id: string): string => `arn:aws:ec2:us-east-1:111122223333:instance/${id}`
const uuid = (n: number): string => `GPU-00000000-0000-0000-0000-00000000000${String(n)}`
const gpu = (index: number, n: number): GpuIdentity => ({
  ...{ index, uuid: uuid(n), serial: `165302400000${String(n)}`, bus: `0000:0${String(index)}:00` },
})
const CHECKS = asked('cpu', 'gpu-memory', 'gpu-link')

function open() {
  const clock = makeVirtualClock(NOW_MS)
  const [store, history] = [makeMemoryStore(), makeMemoryStore()]
  const ports: BurnInPorts = { store, history, clock, log: silentLogger }
  return { clock, store, history, ports }
}
type World = ReturnType<typeof open>

type Machine = { readonly id: string; readonly gpus: readonly GpuIdentity[] }

type Asked = {
  readonly attempt?: number
  readonly checks?: typeof CHECKS
  readonly certificate?: AskedCertificate
}

async function assign(
  { store }: World,
  { id }: Machine,
  { attempt = 1, checks = CHECKS, ...more }: Asked = {},
): Promise<void> {
  const arn = arnOf(id)
  const assignment = assignmentSchema.parse({
    ...{ kind: 'assignment', arn, node: `gpu-${id}`, generation: 1, templates: {}, replicas: [] },
    burnIn: { attempt, suite: 'gpu', checks, ...more },
  })
  await store.write({ kind: 'put', item: { ...keys.assignment(arn), ...assignment } })
}

type Told = Partial<Record<'cpu' | 'gpu-memory' | 'gpu-link', Partial<CheckResult>>>

type Run = { readonly told: Told; readonly attempt?: number }

/** A report: at boot without a run, of a finished one with it. */
async function report(world: World, { id, gpus }: Machine, run?: Run): Promise<void> {
  const { told, attempt = 1 } = run ?? {}
  const arn = arnOf(id)
  const checks = CHECKS.map(({ name }) => ({
    ...{ name, verdict: 'PASS', measures: {}, text: '' },
    ...told?.[name as keyof Told],
  }))
  const item = reportSchema.parse({
    ...{ kind: 'report', arn, bootId: `boot-${id}`, sequence: 1, agentVersion: '0' },
    ...{ observedGeneration: 1, runtimes: ['process'], replicas: [], atMs: NOW_MS, gpus },
    ...(told === undefined ? {} : { burnIn: { attempt, suite: 'gpu', state: 'finished', checks } }),
  })
  await world.store.write({ kind: 'put', item: { ...keys.report(arn), ...item } })
  await judgeReport(world.ports, arn)
}

async function verdictOf({ store }: World, { id }: Machine) {
  return verdictSchema.safeParse(await store.get(keys.verdict(`gpu-${id}`))).data
}

async function known({ history }: World, id: string) {
  const found = hardwareSchema.safeParse(await history.get(historyKeys.hardware(id))).data
  return found === undefined ? undefined : [found.state, found.text, found.node]
}

const hardwareIn = async ({ history }: World) =>
  (await history.scan()).filter((own) => own['kind'] === 'hardware')

const first: Machine = { id: 'i-01', gpus: [gpu(0, 1), gpu(1, 2)] }
const bad = (n: number): Told => ({
  'gpu-memory': {
    verdict: 'FAIL',
    text: 'GPU 1: row remap failure is Yes',
    devices: [{ uuid: uuid(n), verdict: 'FAIL', text: 'row remap failure is Yes' }],
  },
})

describe('a machine that passes', () => {
  test('certifies each of its GPUs, and all of them together', async () => {
    const world = open()
    await assign(world, first)
    await report(world, first, { told: {} })
    expect(await verdictOf(world, first)).toMatchObject({ verdict: 'PASS' })
    const certified = ['certified', '', 'gpu-i-01']
    expect(await known(world, uuid(1))).toEqual(certified)
    expect(await known(world, setIdOf([...first.gpus].reverse()))).toEqual(certified)
    const item = await world.history.get(historyKeys.hardware(uuid(2)))
    expect(item).toMatchObject({
      ...{ serial: '1653024000002', suite: 'gpu', atMs: NOW_MS },
      checks: CHECKS.map(({ name }) => ({ name, verdict: 'PASS' })),
    })
  })

  test('is not remembered at all where it has no GPU: EC2 shows no identity of it', async () => {
    const world = open()
    const plain = { id: 'i-02', gpus: [] }
    await assign(world, plain, { checks: asked('cpu') })
    await report(world, plain, { told: {} })
    expect(await verdictOf(world, plain)).toMatchObject({ verdict: 'PASS' })
    expect(await hardwareIn(world)).toEqual([])
  })
})

describe('a GPU that failed', () => {
  test('is refused at its first report under another instance, before it is tested', async () => {
    const world = open()
    await assign(world, first)
    await report(world, first, { told: bad(2) })
    expect(await known(world, uuid(1))).toBeUndefined()
    expect(await known(world, uuid(2))).toEqual([
      ...['rejected', 'row remap failure is Yes', 'gpu-i-01'],
    ])

    const again: Machine = { id: 'i-03', gpus: [gpu(0, 3), gpu(1, 2)] }
    await assign(world, again)
    await report(world, again)
    expect(await verdictOf(world, again)).toMatchObject({
      ...{ verdict: 'FAIL', attempt: 1, bootId: 'boot-i-03' },
      checks: [
        {
          name: 'hardware',
          text: `${uuid(2)} failed on 2026-11-29 in gpu-i-01: row remap failure is Yes`,
        },
      ],
    })
    // It finishes its checks all the same, and finds nothing: it stays refused, and uncertified.
    await report(world, again, { told: {} })
    expect(await verdictOf(world, again)).toMatchObject({ verdict: 'FAIL' })
    expect(await known(world, uuid(3))).toBeUndefined()
  })

  test('is refused though its run is over, and no other suite clears it', async () => {
    const world = open()
    await assign(world, first)
    await report(world, first, { told: bad(2) })
    const again: Machine = { id: 'i-07', gpus: [gpu(0, 2)] }
    await assign(world, again, { checks: asked('cpu') })
    await report(world, again, { told: {} })
    expect(await verdictOf(world, again)).toMatchObject({
      ...{ verdict: 'FAIL', checks: [{ name: 'hardware' }] },
    })
    expect((await known(world, uuid(2)))?.[0]).toBe('rejected')
  })

  test('is its own machine’s to tell of: nobody has another’s devices refused', async () => {
    const world = open()
    await assign(world, first)
    await report(world, first, { told: bad(9) })
    expect(await known(world, uuid(9))).toBeUndefined()
  })

  test('is not one that a limit was too strict for', async () => {
    const world = open()
    const limits = { uncorrectedErrors: { max: -1 } }
    await assign(world, first, { checks: asked({ check: 'gpu-memory', limits }) })
    await report(world, first, { told: { 'gpu-memory': { measures: { uncorrectedErrors: 0 } } } })
    expect(await verdictOf(world, first)).toMatchObject({ verdict: 'FAIL' })
    expect(await hardwareIn(world)).toEqual([])
  })

  test('may be mended on its own machine, and is certified then', async () => {
    const world = open()
    await assign(world, first)
    await report(world, first, { told: bad(2) })
    await assign(world, first, { attempt: 2 })
    await report(world, first)
    expect(await verdictOf(world, first)).toMatchObject({ attempt: 1 })
    await report(world, first, { told: {}, attempt: 2 })
    expect(await verdictOf(world, first)).toMatchObject({ verdict: 'PASS', attempt: 2 })
    expect(await known(world, uuid(2))).toEqual(['certified', '', 'gpu-i-01'])
  })

  test('is tested again after a month', async () => {
    const world = open()
    await assign(world, first)
    await report(world, first, { told: bad(2) })
    world.clock.advance(LIMITS.hardwareRejectedMs + 1)
    const again: Machine = { id: 'i-03', gpus: [gpu(0, 2)] }
    await assign(world, again)
    await report(world, again)
    expect(await verdictOf(world, again)).toBeUndefined()
  })

  test('is not blamed for what is no GPU’s fault', async () => {
    const world = open()
    await assign(world, first)
    await report(world, first, { told: { cpu: { verdict: 'FAIL', text: 'wrong sum' } } })
    expect(await verdictOf(world, first)).toMatchObject({ verdict: 'FAIL' })
    expect(await hardwareIn(world)).toEqual([])
  })
})

describe('what no single GPU has done', () => {
  test('is held against all of them together, in whatever order they are counted', async () => {
    const world = open()
    await assign(world, first)
    await report(world, first, {
      told: { 'gpu-link': { verdict: 'FAIL', text: 'NVLink 3 is inactive' } },
    })
    const again: Machine = { id: 'i-04', gpus: [gpu(0, 2), gpu(1, 1)] }
    await assign(world, again)
    await report(world, again)
    expect((await verdictOf(world, again))?.checks[0]?.text).toBe(
      'these GPUs together failed on 2026-11-29 in gpu-i-01: gpu-link: NVLink 3 is inactive',
    )
    const other: Machine = { id: 'i-05', gpus: [gpu(0, 2), gpu(1, 3)] }
    await assign(world, other)
    await report(world, other)
    expect(await verdictOf(world, other)).toBeUndefined()
  })
})

test('a bad device is remembered before its verdict can be seen', async () => {
  const world = open()
  const order: string[] = []
  const noted = <S extends { write: World['store']['write'] }>(name: string, store: S): S => ({
    ...store,
    write: (change: Parameters<S['write']>[0]) => {
      order.push(name)
      return store.write(change)
    },
  })
  await assign(world, first)
  const ports = {
    ...world.ports,
    store: noted('verdict', world.store),
    history: noted('hardware', world.history),
  }
  await report({ ...world, ports }, first, { told: bad(2) })
  // The device, then the record for people.
  expect(order).toEqual(['hardware', 'hardware', 'verdict'])
})

test('a first report is looked at as soon as the stream tells of it', async () => {
  const world = open()
  await assign(world, first)
  await report(world, first, { told: bad(2) })
  const again: Machine = { id: 'i-06', gpus: [gpu(0, 2)] }
  await assign(world, again)
  const arn = arnOf(again.id)
  const item = {
    ...{ kind: 'report', arn, bootId: 'b', sequence: 1, agentVersion: '0', atMs: 1 },
    ...{ observedGeneration: 0, runtimes: ['process'], replicas: [] as string[] },
    gpus: again.gpus.map((own) => ({ ...own, serial: own.serial ?? '' })),
  }
  const key = keys.report(arn)
  const after = { ...key, ...item }
  await world.store.write({ kind: 'put', item: after })
  await judgeChanges(world.ports, [{ key, after, expired: false }])
  expect(await verdictOf(world, again)).toMatchObject({ verdict: 'FAIL' })
})

test('every verdict is kept for people, with the machine it was about', async () => {
  const world = open()
  await assign(world, first)
  const node = { pool: 'gpu', machine: { instanceType: 'g5.xlarge', zone: 'us-east-1a' } }
  await world.store.write({ kind: 'put', item: { ...keys.node('gpu-i-01'), ...node } })
  await report(world, first, { told: bad(2) })
  const again: Machine = { id: 'i-03', gpus: [gpu(0, 2)] }
  await assign(world, again)
  await report(world, again)
  await report(world, again)
  const { items } = await readBurnIns(world.history, { limit: 10, nowMs: NOW_MS })
  expect(items).toMatchObject([
    {
      ...{ node: 'gpu-i-01', pool: 'gpu', instanceType: 'g5.xlarge', zone: 'us-east-1a' },
      ...{ verdict: 'FAIL', attempt: 1, gpus: [uuid(1), uuid(2)] },
    },
    { node: 'gpu-i-03', verdict: 'FAIL', checks: [{ name: 'hardware' }] },
  ])
})

test('checks about GPUs prove nothing where nobody knows which', async () => {
  const world = open()
  const nameless: Machine = { id: 'i-08', gpus: [] }
  await assign(world, nameless)
  await report(world, nameless, { told: {} })
  expect(await verdictOf(world, nameless)).toMatchObject({ verdict: 'UNKNOWN' })
})

describe('the short suite', () => {
  const HOUR_MS = 3_600_000
  const certificate = { suite: 'gpu', withinMs: 24 * HOUR_MS }
  /** The same GPUs in another machine, which is asked in short. */
  const second: Machine = { id: 'i-02', gpus: first.gpus }
  const inShort = async (world: World, machine = second): Promise<number | undefined> => {
    await assign(world, machine, { certificate })
    await report(world, machine, { told: {} })
    return (await verdictOf(world, machine))?.certifiedForMs
  }
  const certify = async (world: World): Promise<void> => {
    await assign(world, first)
    await report(world, first, { told: {} })
  }

  test('is enough for GPUs that passed the whole one lately, and renews nothing', async () => {
    const world = open()
    await certify(world)
    await world.clock.advance(23 * HOUR_MS)
    expect(await inShort(world)).toBe(23 * HOUR_MS)
    expect(await known(world, uuid(1))).toEqual(['certified', '', 'gpu-i-01'])
    await world.clock.advance(2 * HOUR_MS)
    expect(await inShort(world, { ...second, id: 'i-03' })).toBeUndefined()
  })

  test('is not enough for GPUs that nobody knows, or not all of, or not together', async () => {
    const world = open()
    expect(await inShort(world)).toBeUndefined()
    await certify(world)
    const with3: Machine = { id: 'i-03', gpus: [gpu(0, 1), gpu(1, 3)] }
    expect(await inShort(world, with3)).toBeUndefined()
    const alone: Machine = { id: 'i-04', gpus: [gpu(0, 1)] }
    expect(await inShort(world, alone)).toBeUndefined()
  })

  test('is not enough after another suite', async () => {
    const world = open()
    await certify(world)
    await assign(world, second, { certificate: { ...certificate, suite: 'gpu-deeper' } })
    await report(world, second, { told: {} })
    const verdict = await verdictOf(world, second)
    expect([verdict?.verdict, verdict?.certifiedForMs]).toEqual(['PASS', undefined])
  })

  test('rejects like the whole one', async () => {
    const world = open()
    await certify(world)
    await assign(world, second, { certificate })
    await report(world, second, { told: bad(2) })
    expect((await verdictOf(world, second))?.certifiedForMs).toBeUndefined()
    expect(await known(world, uuid(2))).toEqual([
      'rejected',
      'row remap failure is Yes',
      'gpu-i-02',
    ])
  })
})
