import { describe, expect, it } from 'vitest'
import { teamSpecSchema } from '#shared/model/team.ts'
import { must } from '#shared/base/assert.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item, Key } from '#shared/store/store.ts'
import { START_MS, workload } from './hand-made.ts'
import { workloadOf } from './items.ts'
import type { Amount } from './needs.ts'
import { quotasInUse } from './quotas-in-use.ts'
import { quotasOf, type Running } from './quotas.ts'

describe('quotas as the auditor sums them up', () => {
  it('are parts of one pot by the other policy', () => {
    const teams = [team('red', { cpu: '6' }, 1), team('blue', { cpu: '3', memory: '4Gi' }, 2)]
    const of = (policy: 'weighted-fair-share' | 'guaranteed-with-borrowing', name: string) =>
      quotasOf({ teams, policy }, []).guaranteeOf(name)
    const parts = { cpuMilli: 3000, memoryMib: 1365, gpuMilli: Infinity, diskMib: Infinity }
    expect(of('weighted-fair-share', 'red')).toEqual(parts)
    expect(of('weighted-fair-share', 'blue').cpuMilli).toBe(6000)
    expect(of('guaranteed-with-borrowing', 'red').memoryMib).toBe(Infinity)
  })

  it('cover a workload once what runs, what grows and what is missing fit together', () => {
    const spec = { replicas: 4, team: 'red', resources: { cpu: '500m', memory: '256Mi' } }
    const web = must(workloadOf(workload(spec)), 'a workload')
    const isCovered = (cpu: string, running: Running): boolean => {
      const teams = [team('red', { cpu }, 1)]
      const quotas = quotasOf({ teams, policy: 'guaranteed-with-borrowing' }, [web], {
        runningOf: () => running,
      })
      return quotas.isCovered(web)
    }
    expect(isCovered('2', [])).toBe(true)
    expect(isCovered('2', [milli(250), milli(250)])).toBe(true)
    // Two grow to 500m, one keeps its 1500m and one is to come.
    const mixed = [milli(250), milli(250), milli(1500)]
    expect(isCovered('2750m', mixed)).toBe(false)
    expect(isCovered('3', mixed)).toBe(true)
    // A surge is lent for a while: no more grow than are wanted.
    expect(isCovered('2', [250, 250, 250, 250, 500].map(milli))).toBe(true)
  })
})

it('ask in the size of the version that people went back to', () => {
  const spec = { replicas: 4, team: 'red', resources: { cpu: '500m', memory: '256Mi' } }
  const web = must(workloadOf(workload(spec)), 'a workload')
  const old = templateOf(must(workloadOf(workload({ ...spec, resources: BIG })), 'a workload').spec)
  const order = {
    ...{ kind: 'order', target: 'workload', name: 'web', uid: web.uid },
    ...{ verb: 'rollout', paused: false, atMs: START_MS },
    undo: { from: versionOf(templateOf(web.spec)), to: versionOf(old) },
  }
  const items = new Map<string, object>([
    [JSON.stringify(keys.order('workload', 'web')), order],
    [JSON.stringify(keys.revision(web.uid, versionOf(old))), { template: old }],
  ])
  const isCovered = (cpu: string, isUndone: boolean): boolean => {
    const teams = { teams: [team('red', { cpu }, 1)], policy: POLICY } as const
    const get = (key: Key) => items.get(JSON.stringify(key)) as Item | undefined
    const known = isUndone ? { get } : {}
    return quotasInUse({ teams, workloads: [web], bodies: [], ...known }).isCovered(web)
  }
  expect([isCovered('2', false), isCovered('2', true), isCovered('4', true)]).toEqual([
    ...[true, false, true],
  ])
})

const BIG = { cpu: '1', memory: '256Mi' }
const POLICY = 'guaranteed-with-borrowing'

const milli = (cpuMilli: number): Amount => ({
  ...{ cpuMilli, memoryMib: 256 },
  ...{ gpuMilli: 0, diskMib: 0 },
})

function team(name: string, quota: object, weight: number) {
  return {
    ...({ kind: 'spec', noun: 'team', name, uid: `u-${name}`, generation: 1 } as const),
    ...{ createdAtMs: START_MS, updatedAtMs: START_MS },
    spec: teamSpecSchema.parse({ quota, weight }),
  }
}
