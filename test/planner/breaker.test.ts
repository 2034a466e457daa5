import { describe, expect, it } from 'vitest'
import { nodeSchema, type Node } from '#shared/model/node.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import type { Blamed } from '#shared/planner/observe/blame.ts'
import { breakerOf, failuresOf, type BreakerFacts } from '#shared/planner/rollout/breaker.ts'

const NOW_MS = Date.UTC(2026, 10, 30)
const MINUTE_MS = 60_000

describe('the breaker', () => {
  const of = (maxFailures: string | number, desired: number): number =>
    breakerOf(workloadSpecSchema.parse({ command: ['run'], rollout: { maxFailures } }), desired)

  it('is a share, and then three at least and two hundred at most', () => {
    const desired = [0, 1, 2, 3, 30, 31, 100, 10_000]
    expect(desired.map((own) => of('10%', own))).toEqual([1, 1, 2, 3, 3, 4, 10, 200])
  })

  it('is a count at its word, but never none', () => {
    expect([0, 1, 5].map((own) => of(own, 100))).toEqual([1, 1, 5])
  })
})

const node = (name: string, over: Partial<Node> = {}): Node =>
  nodeSchema.parse({
    ...{ kind: 'node', name, pool: 'general', phase: 'ready', phaseSinceMs: 0, createdAtMs: 0 },
    ...{ capacityType: 'spot', architecture: 'amd64', launchId: '1-1' },
    claim: { places: ['m7a.large/us-east-1a'], least: SIZE, largest: SIZE, dearestUsdPerHour: 1 },
    ...over,
  })
const SIZE = { cpuMilli: 1, memoryMib: 1, gpuMilli: 0, diskMib: 0 }

type On = { readonly replicas?: number; readonly code?: Blamed['blame']['code']; agoMs?: number }

const blamed = (name: string, { replicas = 1, code = 'Unclear', agoMs = 0 }: On = {}): Blamed => ({
  ...{ workload: 'web', uid: 'u', version: 'v', node: name, replicas, count: replicas },
  ...{ sinceMs: NOW_MS - agoMs, lastMs: NOW_MS - agoMs, blame: { code, text: '' } },
})

const count = (own: readonly Blamed[], over: Partial<BreakerFacts> = {}): number =>
  failuresOf({
    ...{ running: [], blamed: own, nodes: new Map(), fineNodes: new Set<string>(), nowMs: NOW_MS },
    ...{ sinceMs: NOW_MS - MINUTE_MS, healthyDeadlineMs: 5 * MINUTE_MS },
    ...over,
  })

const waiting = (name: string, assignedAgoMs: number, over: Partial<Node> = {}) => ({
  node: node(name, over),
  bound: {
    ...{ id: `web/${name}`, workload: 'web', uid: 'u', version: 'v', gpus: [] },
    ...{ order: 'run' as const, graceSeconds: 1, assignedAtMs: NOW_MS - assignedAgoMs },
  },
})

describe('what counts as failed', () => {
  it('is every replica, on several nodes', () => {
    expect(count([blamed('n1', { replicas: 3 }), blamed('n2')])).toBe(4)
  })

  it('is one on a single node, whatever fails there, unless the version is to blame', () => {
    expect(count([blamed('n1', { replicas: 3 })])).toBe(1)
    expect(count([blamed('n1', { replicas: 3, code: 'BadVersion' })])).toBe(3)
  })

  it('is nothing on a node that is to blame itself, or has troubles of its own', () => {
    const two = [blamed('n1'), blamed('n2')]
    expect(count([blamed('n1', { code: 'BadNode' }), blamed('n2', { code: 'BadNode' })])).toBe(0)
    const interruption = { noticedAtMs: NOW_MS, deadlineMs: NOW_MS }
    for (const trouble of [
      { interruption },
      { lostSinceMs: NOW_MS },
      { silentSinceMs: NOW_MS },
      { phase: 'draining' as const },
    ]) {
      expect(count(two, { nodes: new Map([['n1', node('n1', trouble)]]) })).toBe(1)
    }
  })

  it('is nothing that was before this roll-out', () => {
    expect(count([blamed('n1', { agoMs: 2 * MINUTE_MS }), blamed('n2')])).toBe(1)
  })

  it('is what has not become ready in its time, on a node that is well', () => {
    const [late, early] = [6 * MINUTE_MS, 4 * MINUTE_MS]
    expect(count([], { running: [waiting('n1', late), waiting('n2', late)] })).toBe(2)
    expect(count([], { running: [waiting('n1', late), waiting('n2', early)] })).toBe(1)
    const both = [waiting('n1', late), waiting('n1', late)]
    expect(count([], { running: both })).toBe(1)
    // The version before is ready there: it is not the node.
    expect(count([], { running: both, fineNodes: new Set(['n1']) })).toBe(2)
    const silent = { silentSinceMs: NOW_MS }
    expect(count([], { running: [waiting('n1', late, silent)] })).toBe(0)
  })
})
