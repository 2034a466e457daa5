import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import type { BoundReplica } from '#shared/model/assignment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { workloadStatusSchema, type ReplicaFailure } from '#shared/model/status.ts'
import { blame, type Failed, type Fine } from '#shared/planner/observe/blame.ts'
import { failuresOf } from '#shared/planner/observe/failures.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'

const failuresSchema = workloadStatusSchema.shape.failures

/** One node and one replica of `web`. */
function oneReplica(): World {
  const world = newWorld()
  tell(world, 'pool general instances.types=[m7a.large] repack.when=never')
  tell(world, 'workload web replicas=1')
  tell(world, 'node n1 general m7a.large us-east-1a spot ready')
  tell(world, 'replica web n1 ready')
  return world
}

const node = must(oneReplica().nodes[0], 'a node')

const bound = (n: number, lastMs: number): { bound: BoundReplica; node: typeof node } => ({
  node,
  bound: {
    ...{ id: `web/1-${String(n)}`, workload: 'web', uid: 'u', version: 'v', gpus: [] },
    ...{ order: 'run', graceSeconds: 1, assignedAtMs: 0 },
    failures: { crashes: 1, count: 1, sinceMs: 0, lastMs },
  },
})

describe('what a workload remembers of failures', () => {
  it('is bounded, the newest first, and the same when it is asked again', () => {
    const group = Array.from({ length: LIMITS.failuresKept + 50 }, (_, n) => bound(n, 1_000 + n))
    const found = failuresOf(group, undefined, 2_000)
    expect(found).toHaveLength(LIMITS.failuresKept)
    expect(found[0]?.lastMs).toBe(1_000 + LIMITS.failuresKept + 49)
    expect(failuresOf(group, found, 60_000)).toEqual(found)
  })

  it('forgets first what failed longest ago, whoever is gone', () => {
    const gone: ReplicaFailure = {
      ...{ replica: 'web/0-1', version: 'u', node: 'n0', count: 1, sinceMs: 1, lastMs: 1 },
    }
    const group = Array.from({ length: LIMITS.failuresKept }, (_, n) => bound(n, 1_000))
    expect(failuresOf(group, [gone], 2_000)).not.toContainEqual(gone)
    expect(failuresOf(group.slice(1), [gone], 2_000)).toContainEqual(gone)
  })
})

describe('a report of failures', () => {
  it('may say what it likes: what is stored can be read again', () => {
    const counts = fc.array(fc.nat({ max: Number.MAX_SAFE_INTEGER }), { maxLength: 6 })
    fc.assert(
      fc.property(counts, (told) => {
        const world = oneReplica()
        for (const crashes of told) {
          tell(world, `crashed web/n1-1 ${String(crashes)} running`)
          const made = plan(world)
          world.assignments = [...made.draft.assignments.values()]
          world.workloadStatuses = [...made.plan.workloadStatuses]
          const failures = world.workloadStatuses[0]?.failures
          expect(failuresSchema.parse(failures)).toEqual(failures)
          expect(failures?.[0]?.count ?? 0).toBeLessThanOrEqual(LIMITS.failureCountMax)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('blame', () => {
  const name = fc.integer({ min: 1, max: 5 })
  const failed = fc
    .record({ w: name, v: fc.integer({ min: 1, max: 2 }), n: name, count: name })
    .map(({ w, v, n, count }): Failed => {
      const own = { workload: `w${String(w)}`, uid: `u${String(w)}`, version: `v${String(v)}` }
      const times = { count, sinceMs: 1, lastMs: 2 }
      return { ...own, node: `n${String(n)}`, replica: `w${String(w)}/1-1`, ...times }
    })
  const fine = fc
    .record({ w: name, v: fc.integer({ min: 1, max: 2 }), n: name })
    .map(({ w, v, n }): Fine => ({
      ...{ uid: `u${String(w)}`, version: `v${String(v)}`, node: `n${String(n)}` },
    }))
  const evidence = fc.record({ failed: fc.array(failed), fine: fc.array(fine) })
  const pairOf = ({ uid, version, node: on }: Fine): string => `${uid} ${version} ${on}`

  it('says one thing of each version and node that fail together, in any order', () => {
    fc.assert(
      fc.property(evidence, (given) => {
        const found = blame(given)
        const pairs = new Set(given.failed.map(pairOf))
        expect(new Set(found.map(pairOf))).toEqual(pairs)
        expect(found).toHaveLength(pairs.size)
        const turned = blame({
          failed: given.failed.toReversed(),
          fine: given.fine.toReversed(),
        })
        const verdicts = (all: typeof found): Map<string, string> =>
          new Map(all.map((own) => [pairOf(own), own.blame.code]))
        expect(verdicts(turned)).toEqual(verdicts(found))
      }),
    )
  })

  it('never blames a version that fails on one node alone and is fine on others', () => {
    fc.assert(
      fc.property(evidence, (given) => {
        for (const own of blame(given)) {
          const version = pairOf({ ...own, node: '' })
          const isOfIt = (one: Fine): boolean => pairOf({ ...one, node: '' }) === version
          const bad = new Set(given.failed.filter(isOfIt).map((one) => one.node))
          const good = given.fine.filter((one) => isOfIt(one) && !bad.has(one.node))
          if (bad.size === 1 && good.length > 0) expect(own.blame.code).not.toBe('BadVersion')
        }
      }),
    )
  })

  it('never blames a node for one workload beside which others are fine', () => {
    fc.assert(
      fc.property(evidence, (given) => {
        for (const { node: on, blame: found } of blame(given)) {
          const uids = new Set(given.failed.filter((own) => own.node === on).map((own) => own.uid))
          const isFine = given.fine.some((own) => own.node === on && !uids.has(own.uid))
          if (uids.size === 1 && isFine) expect(found.code).not.toBe('BadNode')
        }
      }),
    )
  })
})
