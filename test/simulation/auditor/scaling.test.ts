import { expect, it } from 'vitest'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import { herd, START_MS, workload, type Hand } from './hand-made.ts'

const said = (text: RegExp) => ({ rule: 'scaling', text: expect.stringMatching(text) as string })
const SCALE = { min: 2, max: 6, metrics: [{ type: 'pushed', name: 'load', target: 10 }] }
const scaled = { replicas: undefined, scale: SCALE }

const target = (replicas: number): Item => ({
  ...keys.target('u-web'),
  ...{ kind: 'target', uid: 'u-web', name: 'web', replicas, atMs: START_MS },
  ...{ recommendations: [], events: [], readings: [] },
})

/** A look that reads the table and then says so many. */
function look(hand: Hand, replicas: number) {
  const by = hand.call('autoscale')
  hand.see({ kind: 'scan', by, items: [...hand.table.values()] })
  return hand.write(by, [{ kind: 'put', item: target(replicas) }])
}

function rollout(hand: Hand, more: object): void {
  const item = workload(scaled)
  const version = versionOf(templateOf(workloadSpecSchema.parse(item['spec'])))
  const stamps = { startedAtMs: 0, lastProgressAtMs: 0, ready: 0, mostReady: 0, old: 4 }
  const status = {
    ...keys.status('workload', 'web'),
    ...{ kind: 'status', noun: 'workload', name: 'web', uid: 'u-web', observedGeneration: 1 },
    ...{ version, desired: 4, assigned: 0, running: 0, ready: 0, updated: 0, spotFailures: 0 },
    ...{ waiting: [], conditions: [] },
    rollout: { active: version, stable: 'the-old-one', ...stamps, ...more },
  }
  const by = hand.pass()
  hand.commit(by, status)
  hand.over(by)
}

it('is fine between min and max, and is caught beyond', () => {
  const hand = herd({ workload: scaled })
  expect(look(hand, 6)).toBeUndefined()
  expect(look(hand, 2)).toBeUndefined()
  expect(look(hand, 7)).toMatchObject(said(/not within 2 and 6/))
  expect(look(hand, 1)).toMatchObject(said(/not within 2 and 6/))
})

it('is caught where nothing is scaled', () => {
  expect(look(herd(), 2)).toMatchObject(said(/web is to have 2, and is not scaled/))
})

it('is caught when it goes down while a roll-out is under way, and may go up', () => {
  const hand = herd({ workload: scaled })
  look(hand, 4)
  rollout(hand, {})
  expect(look(hand, 5)).toBeUndefined()
  expect(look(hand, 4)).toMatchObject(said(/4 instead of 5 while a roll-out is under way/))
})

it('may go down once the roll-out is done, or has failed', () => {
  for (const more of [{ completedAtMs: 1 }, { failed: { code: 'x', text: '', atMs: 1 } }]) {
    const hand = herd({ workload: scaled })
    look(hand, 4)
    rollout(hand, more)
    expect(look(hand, 3)).toBeUndefined()
  }
})
