import { expect, it } from 'vitest'
import type { BoundReplica } from '#shared/model/assignment.ts'
import { versionOf } from '#shared/model/version.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import { assignment, herd, ready, replica, webTemplate, workload, type Hand } from './hand-made.ts'

const RULE = 'dependencies'
const VERSION = versionOf(webTemplate())
const templates = { [`u-web/${VERSION}`]: webTemplate(), [`u-db/${VERSION}`]: webTemplate() }
const said = (text: RegExp) => ({ rule: RULE, text: expect.stringMatching(text) as string })

const ofDb = (own: BoundReplica): BoundReplica => ({ ...own, workload: 'db', uid: 'u-db' })

const db = (spec: object = {}): Item => ({
  ...workload({ replicas: 1, ...spec }, { name: 'db', uid: 'u-db' }),
  ...keys.spec('workload', 'db'),
})

/** `web` names `db`. */
function pair(others: readonly Item[] = [db()]): Hand {
  const hand = herd({ workload: { dependsOn: ['db'] } })
  hand.put('admin-api', ...others)
  return hand
}

/** Another pass leaves the node with these. */
function bind(hand: Hand, generation: number, replicas: BoundReplica[]) {
  const by = hand.pass()
  const found = hand.commit(by, ...assignment({ generation, templates, replicas }))
  hand.over(by)
  return found
}

const web = replica('web/2-1')

function status(reason: string, assigned: number): Item {
  const counts = { desired: 2, assigned, running: assigned, ready: assigned, updated: 0 }
  return {
    ...keys.status('workload', 'web'),
    ...{ kind: 'status', noun: 'workload', name: 'web', uid: 'u-web', observedGeneration: 1 },
    ...{ version: VERSION, ...counts, conditions: [], spotFailures: 0 },
    waiting: [{ version: VERSION, count: 1, sinceMs: 0, reasons: [{ code: reason, text: '' }] }],
  }
}

it('is caught when a workload starts before those it names', () => {
  expect(bind(pair(), 2, [web])).toMatchObject(said(/web\/2-1 is bound before db is available/))
  expect(bind(pair([]), 2, [web])).toMatchObject(said(/before db is available/))
  const unready = pair()
  bind(unready, 2, [ofDb(replica('db/1-1'))])
  expect(bind(unready, 3, [ofDb(replica('db/1-1')), web])).toMatchObject(said(/before db/))
})

it('is fine once they are available, or are to have none', () => {
  const hand = pair()
  bind(hand, 2, [ofDb(ready('db/1-1'))])
  expect(bind(hand, 3, [ofDb(ready('db/1-1')), web])).toBeUndefined()
  expect(bind(pair([db({ replicas: 0 })]), 2, [web])).toBeUndefined()
})

it('waits for nobody in a circle', () => {
  expect(bind(pair([db({ dependsOn: ['web'] })]), 2, [web])).toBeUndefined()
})

it('is caught when what has run waits again', () => {
  const hand = pair()
  const by = hand.pass()
  expect(hand.commit(by, status('DependencyNotReady', 0))).toBeUndefined()
  expect(hand.commit(by, status('Shortage', 1))).toBeUndefined()
  expect(hand.commit(by, status('DependencyNotReady', 0))).toMatchObject(said(/has run, and waits/))
})
