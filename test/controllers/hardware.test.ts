import { expect, test } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { judgeChanges, judgeReport, type BurnInPorts } from '#shared/controllers/burn-in.ts'
import { assignmentSchema } from '#shared/model/assignment.ts'
import type { AskedCertificate } from '#shared/model/burn-in.ts'
import type { GpuIdentity } from '#shared/model/hardware.ts'
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
  readonly checks?: typeof CHECKS
  readonly certificate?: AskedCertificate
}

async function assign(
  { store }: World,
  { id }: Machine,
  { checks = CHECKS, ...more }: Asked = {},
): Promise<void> {
  const arn = arnOf(id)
  const assignment = assignmentSchema.parse({
    ...{ kind: 'assignment', arn, node: `gpu-${id}`, generation: 1, templates: {}, replicas: [] },
    burnIn: { attempt: 1, suite: 'gpu', checks, ...more },
  })
  await store.write({ kind: 'put', item: { ...keys.assignment(arn), ...assignment } })
}

type Told = Partial<Record<'cpu' | 'gpu-memory' | 'gpu-link', Partial<CheckResult>>>

type Run = { readonly told: Told }

/** A report: at boot without a run, of a finished one with it. */
async function report(world: World, { id, gpus }: Machine, run?: Run): Promise<void> {
  const { told } = run ?? {}
  const arn = arnOf(id)
  const checks = CHECKS.map(({ name }) => ({
    ...{ name, verdict: 'PASS', measures: {}, text: '' },
    ...told?.[name as keyof Told],
  }))
  const item = reportSchema.parse({
    ...{ kind: 'report', arn, bootId: `boot-${id}`, sequence: 1, agentVersion: '0' },
    ...{ observedGeneration: 1, runtimes: ['process'], replicas: [], atMs: NOW_MS, gpus },
    ...(told === undefined
      ? {}
      : { burnIn: { attempt: 1, suite: 'gpu', state: 'finished', checks } }),
  })
  await world.store.write({ kind: 'put', item: { ...keys.report(arn), ...item } })
  await judgeReport(world.ports, arn)
}

async function verdictOf({ store }: World, { id }: Machine) {
  return verdictSchema.safeParse(await store.get(keys.verdict(`gpu-${id}`))).data
}

const first: Machine = { id: 'i-01', gpus: [gpu(0, 1), gpu(1, 2)] }
const bad = (n: number): Told => ({
  'gpu-memory': {
    verdict: 'FAIL',
    text: 'GPU 1: row remap failure is Yes',
    devices: [{ uuid: uuid(n), verdict: 'FAIL', text: 'row remap failure is Yes' }],
  },
})

test('a certificate tells the serial, the suite and its checks', async () => {
  const world = open()
  await assign(world, first)
  await report(world, first, { told: {} })
  expect(await world.history.get(historyKeys.hardware(uuid(2)))).toMatchObject({
    ...{ state: 'certified', serial: '1653024000002', suite: 'gpu', atMs: NOW_MS },
    checks: CHECKS.map(({ name }) => ({ name, verdict: 'PASS' })),
  })
})

test('no GPU is blamed for a limit that was too strict', async () => {
  const world = open()
  const limits = { uncorrectedErrors: { max: -1 } }
  await assign(world, first, { checks: asked({ check: 'gpu-memory', limits }) })
  await report(world, first, { told: { 'gpu-memory': { measures: { uncorrectedErrors: 0 } } } })
  expect(await verdictOf(world, first)).toMatchObject({ verdict: 'FAIL' })
  const kinds = (await world.history.scan()).map((own) => own['kind'])
  expect(kinds).toEqual(['burn-in'])
})

test('the short suite is not enough after another one', async () => {
  const world = open()
  await assign(world, first)
  await report(world, first, { told: {} })
  const second: Machine = { id: 'i-02', gpus: first.gpus }
  await assign(world, second, { certificate: { suite: 'gpu-deeper', withinMs: 86_400_000 } })
  await report(world, second, { told: {} })
  const verdict = await verdictOf(world, second)
  expect([verdict?.verdict, verdict?.certifiedForMs]).toEqual(['PASS', undefined])
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
