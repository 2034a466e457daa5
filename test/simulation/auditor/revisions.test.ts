import { describe, expect, it } from 'vitest'
import { keys } from '#shared/store/keys.ts'
import type { Item, Write } from '#shared/store/store.ts'
import type { Violation } from '../traffic.ts'
import { herd, revision, webTemplate, workload, START_MS, type Hand } from './hand-made.ts'

const RULE = 'revisions'

const said = (text: RegExp): object => ({ rule: RULE, text: expect.stringMatching(text) })
const put = (item: Item): Write => ({ kind: 'put', item })

const envOf = (n: number): object => ({ env: { N: String(n) } })
const templateNo = (n: number): ReturnType<typeof webTemplate> => webTemplate(envOf(n))
const versionNo = (n: number): string => String(revision(1, templateNo(n))['version'])

/** `web` at its `versions`-th version, with all of the revisions. */
function deployed(versions: number): Hand {
  const hand = herd()
  for (let n = 2; n <= versions; n += 1) {
    expect(hand.put('admin-api', workload(envOf(n)))).toBeUndefined()
  }
  return hand
}

/** What the admin API writes together. */
const write = (hand: Hand, ...writes: readonly Write[]): Violation | undefined =>
  hand.write(hand.call('admin-api'), writes)

function status(active: string, stable: string): Item {
  const times = { startedAtMs: START_MS, lastProgressAtMs: START_MS }
  return {
    ...keys.status('workload', 'web'),
    ...{ kind: 'status', noun: 'workload', name: 'web', uid: 'u-web', observedGeneration: 1 },
    ...{ version: active, desired: 2, assigned: 2, running: 2, ready: 2, updated: 2 },
    ...{ waiting: [], conditions: [] },
    rollout: { active, stable, ...times, ready: 2, mostReady: 2, old: 0 },
  }
}

describe('revisions', () => {
  it('may get a new number, and go when there are more than ten', () => {
    const hand = deployed(10)
    expect(write(hand, put(workload(envOf(3))), put(revision(11, templateNo(3))))).toBeUndefined()
    const eleventh = [put(workload(envOf(11))), put(revision(12, templateNo(11)))]
    const first = keys.revision('u-web', String(revision(1, webTemplate())['version']))
    expect(write(hand, ...eleventh, { kind: 'delete', key: first })).toBeUndefined()
    expect(hand.auditor.full()).toBeUndefined()
  })

  it('catches a spec without its revision, and one whose revision is not the newest', () => {
    expect(write(herd(), put(workload(envOf(2))))).toMatchObject(said(/without its revision/))
    const hand = deployed(3)
    expect(write(hand, put(workload(envOf(2))))).toMatchObject(said(/is newer/))
    expect(hand.auditor.full()).toMatchObject(said(/is newer/))
  })

  it('catches one that is written anew, and one that is not what it is called', () => {
    const hand = deployed(2)
    const anew = revision(2, templateNo(2), { createdAtMs: START_MS + 1 })
    expect(write(hand, put(anew))).toMatchObject(said(/written anew/))
    expect(write(deployed(2), put(revision(1, templateNo(2))))).toMatchObject(said(/lower number/))
    const false_ = { ...revision(2, templateNo(2)), template: templateNo(3) }
    expect(write(deployed(2), put(false_))).toMatchObject(said(/template that it names/))
  })

  it('catches one that goes while there are few, or while a roll-out names it', () => {
    const few = { kind: 'delete', key: keys.revision('u-web', versionNo(2)) } as const
    expect(write(deployed(4), few)).toMatchObject(said(/only 3 are left/))
    const hand = deployed(12)
    const by = hand.pass()
    expect(hand.commit(by, status(versionNo(12), versionNo(2)))).toBeUndefined()
    hand.wait(1_000)
    expect(write(hand, few)).toMatchObject(said(/roll-out names/))
  })

  it('excuses a writer that began before the roll-out named it', () => {
    const hand = deployed(12)
    const early = hand.call('admin-api')
    hand.wait(1_000)
    hand.commit(hand.pass(), status(versionNo(12), versionNo(2)))
    const gone = { kind: 'delete', key: keys.revision('u-web', versionNo(2)) } as const
    expect(hand.write(early, [gone])).toBeUndefined()
  })

  it('catches too many', () => {
    const hand = deployed(13)
    expect(hand.put('admin-api', workload(envOf(14)))).toMatchObject(said(/keeps 14 revisions/))
  })
})
