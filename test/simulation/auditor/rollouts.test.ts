import { describe, expect, it } from 'vitest'
import type { BoundReplica } from '#shared/model/assignment.ts'
import { versionOf } from '#shared/model/version.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import {
  assignment,
  herd,
  node,
  ready,
  replica,
  START_MS,
  stopped,
  webTemplate,
  workload,
  type Hand,
} from './hand-made.ts'

const RULE = 'roll-out'
const TINY = { cpu: '100m', memory: '64Mi' }
const ENV = { V: 'b' }
const OLD = versionOf(webTemplate({ resources: TINY }))
const NEW = versionOf(webTemplate({ resources: TINY, env: ENV }))

const of = (version: string, own: BoundReplica): BoundReplica => ({ ...own, version })
const fresh = (n: number): BoundReplica => of(NEW, replica(`web/9-${String(n)}`))
const old = (n: number): BoundReplica => of(OLD, ready(`web/1-${String(n)}`))

function status(rollout: object): Item {
  const counts = { desired: 4, assigned: 4, running: 4, ready: 4, updated: 0, conditions: [] }
  const stamps = { startedAtMs: START_MS, lastProgressAtMs: START_MS }
  return {
    ...keys.status('workload', 'web'),
    ...{ kind: 'status', noun: 'workload', name: 'web', uid: 'u-web', observedGeneration: 2 },
    ...{ version: NEW, ...counts, spotFailures: 0, waiting: [] },
    rollout: { active: NEW, stable: OLD, ...stamps, ready: 0, mostReady: 0, old: 4, ...rollout },
  }
}

/** Four of the proven version run, a new one stands in the spec, and this is known of it. */
function rolling(rollout: object = {}, policy: object = {}): Hand {
  const spec = { replicas: 4, resources: TINY, rollout: { maxSurge: 4, ...policy } }
  const hand = herd({ workload: spec })
  const by = hand.pass()
  bind(hand, by, { replicas: [1, 2, 3, 4].map(old), generation: 2 })
  hand.commit(by, status(rollout))
  hand.over(by)
  hand.put('admin-api', workload({ ...spec, env: ENV }, { generation: 2 }))
  return hand
}

type Bound = { readonly replicas: readonly BoundReplica[]; readonly generation: number }

function bind(hand: Hand, by: ReturnType<Hand['pass']>, { replicas, generation }: Bound) {
  const templates = {
    [`u-web/${OLD}`]: webTemplate({ resources: TINY }),
    [`u-web/${NEW}`]: webTemplate({ resources: TINY, env: ENV }),
  }
  return hand.commit(by, ...assignment({ generation, templates, replicas: [...replicas] }))
}

/** A pass that leaves the node with these besides the old ones. */
function start(hand: Hand, replicas: readonly BoundReplica[]) {
  const all = [...[1, 2, 3, 4].map(old), ...replicas]
  return bind(hand, hand.pass(), { replicas: all, generation: 3 })
}

const said = (text: RegExp) => ({ rule: RULE, text: expect.stringMatching(text) as string })
const FAILED = { failed: { code: 'TooManyFailures', text: '', atMs: START_MS } }

describe('a roll-out', () => {
  it('tries as many as the breaker allows, and no more', () => {
    expect(start(rolling(), [1, 2, 3].map(fresh))).toBeUndefined()
    expect(start(rolling(), [1, 2, 3, 4].map(fresh))).toMatchObject(said(/4 .+ are tried .+ of 3/))
  })

  it('counts those of passes before', () => {
    const hand = rolling()
    const by = hand.pass()
    bind(hand, by, { replicas: [...[1, 2, 3, 4].map(old), fresh(1), fresh(2)], generation: 3 })
    hand.over(by)
    const next = hand.pass()
    const more = [...[1, 2, 3, 4].map(old), ...[1, 2, 3, 4].map(fresh)]
    const found = bind(hand, next, { replicas: more, generation: 4 })
    expect(found).toMatchObject(said(/are tried/))
  })

  it('runs no more than its surge, what stops among them', () => {
    const hand = rolling({}, { maxSurge: 1, maxUnavailable: 4 })
    const goes = of(OLD, { ...stopped('web/1-4', 'Replaced') })
    const by = hand.pass()
    bind(hand, by, { replicas: [...[1, 2, 3].map(old), goes, fresh(1)], generation: 3 })
    hand.over(by)
    const all = [...[1, 2, 3].map(old), goes, fresh(1), fresh(2)]
    const found = bind(hand, hand.pass(), { replicas: all, generation: 4 })
    expect(found).toMatchObject(said(/with its surge/))
  })

  it('starts nothing of a version that has failed', () => {
    expect(start(rolling(FAILED), [fresh(1)])).toMatchObject(said(/which has failed/))
  })

  it('takes nothing away for a version that has failed', () => {
    const hand = rolling(FAILED, { maxUnavailable: 4 })
    const goes = of(OLD, stopped('web/1-4', 'Replaced'))
    const left = [...[1, 2, 3].map(old), goes]
    const found = bind(hand, hand.pass(), { replicas: left, generation: 3 })
    expect(found).toMatchObject(said(/makes way for version .+ which has failed/))
  })

  it('tries a version by few in all, however often they are lost from sight', () => {
    const hand = rolling()
    let generation = 3
    const leave = (replicas: readonly BoundReplica[]) => {
      const by = hand.pass()
      const found = bind(hand, by, {
        replicas: [...[1, 2, 3, 4].map(old), ...replicas],
        generation,
      })
      generation += 1
      hand.over(by)
      return found
    }
    expect(leave([1, 2, 3].map(fresh))).toBeUndefined()
    const stops = [1, 2, 3].map((n) => of(NEW, stopped(`web/9-${String(n)}`, 'RolloutHalted')))
    expect(leave(stops)).toBeUndefined()
    expect(leave([])).toBeUndefined()
    expect(leave([fresh(4)])).toMatchObject(said(/4 of web were tried/))
  })

  it('lets another be tried in place of one whose node goes', () => {
    const tryOn = (drained: boolean) => {
      const hand = rolling()
      hand.instance('i-2')
      const facts = { name: 'n2', instanceId: 'i-2' }
      hand.put('reconcile', node({ ...facts, launchId: 'l-2' }))
      const by = hand.pass()
      const templates = { [`u-web/${NEW}`]: webTemplate({ resources: TINY, env: ENV }) }
      hand.commit(by, ...assignment({ ...facts, templates, replicas: [1, 2, 3].map(fresh) }))
      hand.over(by)
      const next = hand.pass()
      const drain = { reason: 'Unhealthy', text: '', sinceMs: START_MS, generation: 1 }
      if (drained) hand.commit(next, node({ ...facts, launchId: 'l-2', drain } as never))
      return bind(hand, next, { replicas: [...[1, 2, 3, 4].map(old), fresh(4)], generation: 3 })
    }
    expect(tryOn(true)).toBeUndefined()
    expect(tryOn(false)).toMatchObject(said(/4 of web are tried/))
  })
})
