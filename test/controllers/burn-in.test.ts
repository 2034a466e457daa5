import { describe, expect, test } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import {
  BurnInError,
  judgeChanges,
  judgePending,
  judgeReport,
  type BurnInPorts,
} from '#shared/controllers/burn-in.ts'
import { judge } from '#shared/controllers/judge.ts'
import { assignmentSchema, type Assignment } from '#shared/model/assignment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { reportSchema, type Report } from '#shared/model/report.ts'
import {
  VERDICT_ORDER,
  verdictSchema,
  worst,
  type CheckResult,
  type Verdict,
} from '#shared/model/verdict.ts'
import { keys } from '#shared/store/keys.ts'
import { makeMemoryStore, type MemoryStore } from '#shared/store/memory-store.ts'
import { StoreError } from '#shared/store/store.ts'
import { asked } from '../asked.ts'

const NOW_MS = Date.UTC(2026, 10, 22, 10)
const ARN = 'arn:aws:ec2:us-east-1:111122223333:instance/i-01'

const check = (name: string, verdict: CheckResult['verdict'] = 'PASS', text = ''): CheckResult => ({
  name,
  verdict,
  measures: {},
  text,
})

type Run = NonNullable<Report['burnIn']>
const finished: Run = {
  attempt: 1,
  suite: 'basic',
  state: 'finished',
  checks: [check('cpu'), check('disk')],
}

function makeReport(burnIn: Run | undefined = finished, bootId = 'boot-1'): Report {
  return reportSchema.parse({
    kind: 'report',
    arn: ARN,
    bootId,
    sequence: 1,
    agentVersion: '0.1.0',
    observedGeneration: 1,
    runtimes: ['process'],
    replicas: [],
    atMs: 5,
    ...(burnIn === undefined ? {} : { burnIn }),
  })
}

function makeAssignment(burnIn: Assignment['burnIn'] | 'none' = undefined): Assignment {
  return assignmentSchema.parse({
    kind: 'assignment',
    arn: ARN,
    node: 'general-1-1',
    generation: 1,
    templates: {},
    replicas: [],
    ...(burnIn === 'none'
      ? {}
      : { burnIn: burnIn ?? { attempt: 1, suite: 'basic', checks: asked('cpu', 'disk') } }),
  })
}

const judged = (run: Run, assignment = makeAssignment()) =>
  judge({ arn: ARN, report: makeReport(run), assignment, nowMs: NOW_MS })

describe('limits that the suite sets', () => {
  const limits = {
    writeMibPerSecond: { min: 200 },
    readMibPerSecond: { min: 1, otherwise: 'WARN' },
  }
  const suite = makeAssignment({
    attempt: 1,
    suite: 'own',
    checks: asked({ check: 'disk', limits }),
  })
  const told = (disk: Partial<CheckResult>) => {
    const checks = [{ ...check('disk'), ...disk }]
    const judgement = judged({ ...finished, suite: 'own', checks }, suite)
    return judgement.judged
      ? judgement.verdict.checks.map(({ verdict, text }) => [verdict, text])
      : []
  }

  test('are what measures are held against, and stand in the verdict', () => {
    const measures = { writeMibPerSecond: 300, readMibPerSecond: 500 }
    const run = { ...finished, suite: 'own', checks: [{ ...check('disk'), measures }] }
    expect(judged(run, suite)).toMatchObject({
      verdict: {
        verdict: 'PASS',
        checks: [{ limits: { writeMibPerSecond: { min: 200, otherwise: 'FAIL' } } }],
      },
    })
    expect(told({ measures: { ...measures, writeMibPerSecond: 80 } })).toEqual([
      ['FAIL', 'writeMibPerSecond is 80, and at least 200 is asked for'],
    ])
    expect(told({ measures: { ...measures, readMibPerSecond: 0 } })).toEqual([
      ['WARN', 'readMibPerSecond is 0, and at least 1 is asked for'],
    ])
  })

  test('leave a pass without the measure unknown, and do not make a failure milder', () => {
    expect(told({ measures: { writeMibPerSecond: 300 } })).toEqual([
      ['UNKNOWN', 'readMibPerSecond was not measured'],
    ])
    expect(told({ verdict: 'FAIL', text: 'wrong bytes' })).toEqual([['FAIL', 'wrong bytes']])
    expect(told({ verdict: 'INFRA', text: 'no disk' })).toEqual([['INFRA', 'no disk']])
  })

  test('are not what an agent says they are', () => {
    const own = { writeMibPerSecond: { min: 1, otherwise: 'FAIL' as const } }
    const measures = { writeMibPerSecond: 80, readMibPerSecond: 500 }
    expect(told({ measures, limits: own })).toEqual([
      ['FAIL', 'writeMibPerSecond is 80, and at least 200 is asked for'],
    ])
  })
})

describe('judging a burn-in', () => {
  test('passes what passed every check that was asked for, and names the run', () => {
    expect(judged(finished)).toEqual({
      judged: true,
      verdict: {
        kind: 'verdict',
        node: 'general-1-1',
        arn: ARN,
        bootId: 'boot-1',
        attempt: 1,
        suite: 'basic',
        verdict: 'PASS',
        checks: [check('cpu'), check('disk')],
        atMs: NOW_MS,
      },
    })
  })

  test.each(VERDICT_ORDER)('is as bad as its worst check: %s', (verdict) => {
    expect(judged({ ...finished, checks: [check('cpu', verdict), check('disk')] })).toMatchObject({
      verdict: { verdict },
    })
  })

  test('a check that is missing is UNKNOWN, and so is a suite of none', () => {
    expect(judged({ ...finished, checks: [check('cpu')] })).toMatchObject({
      verdict: {
        verdict: 'UNKNOWN',
        checks: [check('cpu'), check('disk', 'UNKNOWN', 'the agent did not report this check')],
      },
    })
    const asksNothing = makeAssignment({ attempt: 1, suite: 'basic', checks: [] })
    expect(judged({ ...finished, checks: [] }, asksNothing)).toMatchObject({
      verdict: { verdict: 'UNKNOWN' },
    })
  })

  test('a failure outweighs a missing check', () => {
    expect(judged({ ...finished, checks: [check('cpu', 'FAIL')] })).toMatchObject({
      verdict: { verdict: 'FAIL' },
    })
  })

  test('bad news counts even if nobody asked, and twice the same check is its worst', () => {
    const extra = { ...finished, checks: [...finished.checks, check('memory', 'FAIL')] }
    expect(judged(extra)).toMatchObject({ verdict: { verdict: 'FAIL' } })
    const twice = { ...finished, checks: [check('cpu'), check('cpu', 'FAIL'), check('disk')] }
    expect(judged(twice)).toMatchObject({
      verdict: { verdict: 'FAIL', checks: [check('cpu', 'FAIL'), check('disk')] },
    })
  })

  test.each<[string, Run | undefined, Assignment]>([
    ['a run that is not finished', { ...finished, state: 'running' }, makeAssignment()],
    ['another attempt', { ...finished, attempt: 2 }, makeAssignment()],
    ['another suite', { ...finished, suite: 'gpu' }, makeAssignment()],
    ['what nobody asked for', finished, makeAssignment('none')],
  ])('gives no verdict on %s', (_, run, assignment) => {
    expect(judge({ arn: ARN, report: makeReport(run), assignment, nowMs: NOW_MS }).judged).toBe(
      false,
    )
  })

  test('gives no verdict on a report without a burn-in', () => {
    const { burnIn: _, ...report } = makeReport()
    expect(judge({ arn: ARN, report, assignment: makeAssignment(), nowMs: NOW_MS }).judged).toBe(
      false,
    )
  })

  test('the worst of nothing is UNKNOWN', () => {
    expect(worst([])).toBe('UNKNOWN')
    expect(worst(['PASS', 'INFRA', 'WARN'])).toBe('INFRA')
  })
})

async function open() {
  const clock = makeVirtualClock(NOW_MS)
  const store = makeMemoryStore()
  const history = makeMemoryStore()
  const ports: BurnInPorts = { store, history, clock, log: silentLogger }
  await store.write({ kind: 'put', item: { ...keys.assignment(ARN), ...makeAssignment() } })
  return { clock, store, history, ports }
}

async function putReport(store: MemoryStore, report: Report = makeReport(), arn = ARN) {
  await store.write({ kind: 'put', item: { ...keys.report(arn), ...report } })
}

async function verdictOf(store: MemoryStore, node = 'general-1-1'): Promise<Verdict | undefined> {
  const item = await store.get(keys.verdict(node))
  return item && verdictSchema.parse(item)
}

describe('the verdict of a report', () => {
  test('is written under the node’s name, and kept for a while', async () => {
    const { store, ports } = await open()
    await putReport(store)
    expect(await judgeReport(ports, ARN)).toMatchObject({ outcome: 'written' })
    expect(await verdictOf(store)).toMatchObject({ verdict: 'PASS', bootId: 'boot-1', arn: ARN })
    expect((await store.get(keys.verdict('general-1-1')))?.['ttl']).toBe(
      NOW_MS / 1000 + LIMITS.verdictDays * 86_400,
    )
  })

  test('is not written twice', async () => {
    const { store, ports, clock } = await open()
    await putReport(store)
    await judgeReport(ports, ARN)
    await clock.advance(60_000)
    expect(await judgeReport(ports, ARN)).toMatchObject({ outcome: 'unchanged' })
    expect((await verdictOf(store))?.atMs).toBe(NOW_MS)
  })

  test('can get worse and never better for the same attempt and boot', async () => {
    const { store, ports } = await open()
    await putReport(store)
    await judgeReport(ports, ARN)
    const failed = { ...finished, checks: [check('cpu', 'FAIL'), check('disk')] }
    await putReport(store, makeReport(failed))
    expect(await judgeReport(ports, ARN)).toMatchObject({ outcome: 'written' })
    await putReport(store)
    expect(await judgeReport(ports, ARN)).toMatchObject({ outcome: 'unchanged' })
    expect(await verdictOf(store)).toMatchObject({ verdict: 'FAIL' })
  })

  test('is given anew for another boot and for another attempt', async () => {
    const { store, ports } = await open()
    const failed = { ...finished, checks: [check('cpu', 'FAIL'), check('disk')] }
    await putReport(store, makeReport(failed))
    await judgeReport(ports, ARN)
    await putReport(store, makeReport(finished, 'boot-2'))
    await judgeReport(ports, ARN)
    expect(await verdictOf(store)).toMatchObject({ verdict: 'PASS', bootId: 'boot-2' })

    const second = makeAssignment({ attempt: 2, suite: 'basic', checks: asked('cpu') })
    await store.write({ kind: 'put', item: { ...keys.assignment(ARN), ...second } })
    expect(await judgeReport(ports, ARN)).toMatchObject({ outcome: 'none' })
    await putReport(store, makeReport({ ...finished, attempt: 2 }, 'boot-2'))
    await judgeReport(ports, ARN)
    expect(await verdictOf(store)).toMatchObject({ verdict: 'PASS', attempt: 2 })
  })

  test('gives way to one that was written meanwhile', async () => {
    const { store, ports } = await open()
    await putReport(store)
    const racing: BurnInPorts = {
      ...ports,
      store: {
        get: (key) => store.get(key),
        query: (pk, range) => store.query(pk, range),
        write: async (write) => {
          await store.write({
            kind: 'put',
            item: { ...keys.verdict('general-1-1'), kind: 'verdict', atMs: 1 },
          })
          return store.write(write)
        },
      },
    }
    expect(await judgeReport(racing, ARN)).toMatchObject({ outcome: 'overtaken' })
  })

  test('does not come of a report or an assignment that is missing or cannot be read', async () => {
    const { store, ports } = await open()
    expect(await judgeReport(ports, ARN)).toMatchObject({ outcome: 'none' })
    await store.write({ kind: 'put', item: { ...keys.report(ARN), kind: 'report', bootId: 7 } })
    expect(await judgeReport(ports, ARN)).toMatchObject({ outcome: 'none' })
    await putReport(store, makeReport(), `${ARN}2`)
    expect(await judgeReport(ports, `${ARN}2`)).toMatchObject({ outcome: 'none' })
    expect(await verdictOf(store)).toBeUndefined()
  })

  test('goes by the key: a report cannot speak for another node', async () => {
    const { store, ports } = await open()
    const other = `${ARN}2`
    const assignment = { ...makeAssignment(), arn: other, node: 'general-1-2' }
    await store.write({ kind: 'put', item: { ...keys.assignment(other), ...assignment } })
    const failed = { ...finished, checks: [check('cpu', 'FAIL')] }
    await putReport(store, makeReport(failed), other)
    await judgeReport(ports, other)
    expect(await verdictOf(store)).toBeUndefined()
    expect(await verdictOf(store, 'general-1-2')).toMatchObject({ verdict: 'FAIL', arn: other })
  })
})

describe('burn-in', () => {
  test('reads the report again, whatever the record carried', async () => {
    const { store, ports } = await open()
    const failed = { ...finished, checks: [check('cpu', 'FAIL'), check('disk')] }
    await putReport(store, makeReport(failed))
    const after = { ...keys.report(ARN), ...makeReport(finished) }
    await judgeChanges(ports, [
      { key: keys.report(ARN), after, expired: false },
      { key: keys.beat(ARN), after: { ...keys.beat(ARN), kind: 'beat' }, expired: false },
      { key: keys.report(ARN), before: after, expired: true },
    ])
    expect(await verdictOf(store)).toMatchObject({ verdict: 'FAIL' })
  })

  test('reads nothing where a report tells of the burn-in it told of before', async () => {
    const { store, ports } = await open()
    const key = keys.report(ARN)
    const before = { ...key, ...makeReport(finished) }
    const after = { ...before, sequence: before.sequence + 1 }
    await putReport(store, makeReport(finished))
    await judgeChanges(ports, [{ key, before, after, expired: false }])
    expect(await verdictOf(store)).toBeUndefined()
    const rebooted = { ...after, bootId: 'another' }
    await judgeChanges(ports, [{ key, before: rebooted, after, expired: false }])
    expect(await verdictOf(store)).toMatchObject({ verdict: 'PASS' })
  })

  test('judges the others when one cannot be judged, and asks for the batch again', async () => {
    const { store, ports } = await open()
    await putReport(store)
    const bad = `${ARN}9`
    const failing: BurnInPorts = {
      ...ports,
      store: {
        get: (key) =>
          key.pk.endsWith(bad)
            ? Promise.reject(new StoreError({ text: 'the table is away' }))
            : store.get(key),
        query: (pk, range) => store.query(pk, range),
        write: (write) => store.write(write),
      },
    }
    const changes = [bad, ARN].map((arn) => {
      const key = keys.report(arn)
      return { key, after: { ...key, ...makeReport() }, expired: false }
    })
    await expect(judgeChanges(failing, changes)).rejects.toThrow(BurnInError)
    expect(await verdictOf(store)).toMatchObject({ verdict: 'PASS' })
  })

  test('judges on its schedule every node without a verdict that can be read', async () => {
    const { store, ports } = await open()
    await putReport(store)
    await store.write({ kind: 'put', item: { ...keys.node('aaa'), kind: 'node', machine: 'odd' } })
    await store.write({ kind: 'put', item: { ...keys.node('claim'), ...makeNode('claim') } })
    await store.write({
      kind: 'put',
      item: { ...keys.node('general-1-1'), ...makeNode('general-1-1', ARN) },
    })
    await judgePending(ports)
    expect(await verdictOf(store)).toMatchObject({ verdict: 'PASS' })
  })

  test('leaves nodes alone on its schedule that have their verdict', async () => {
    const { store, ports } = await open()
    await putReport(store)
    const node = makeNode('general-1-1', ARN, 'PASS')
    await store.write({ kind: 'put', item: { ...keys.node('general-1-1'), ...node } })
    await judgePending(ports)
    expect(await verdictOf(store)).toBeUndefined()
  })
})

/** A node as far as burn-in looks at it; without an ARN it is a claim still. */
function makeNode(name: string, arn?: string, verdict?: Verdict['verdict']) {
  return {
    kind: 'node',
    name,
    ...(arn === undefined ? {} : { machine: { arn }, burnIn: { attempt: 1, verdict } }),
  }
}
