import { describe, expect, it } from 'vitest'
import type { BoundReplica } from '#shared/model/assignment.ts'
import { versionOf } from '#shared/model/version.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import type { Caller, Violation } from '../traffic.ts'
import {
  addNode,
  assignment,
  herd,
  node,
  passItem,
  ready,
  replica,
  START_MS,
  stopped,
  webTemplate,
  workload,
  type Hand,
} from './hand-made.ts'

const RULE = 'gang'
const N2 = { name: 'n2', instanceId: 'i-2' }
const DEADLINE_MS = 300_000

/** `web` is a gang of two; `n1` and `n2` have room for three of its replicas each. */
function gang(spec: object = {}): Hand {
  const hand = herd({ workload: { gang: true, gangDeadlineSeconds: 300, ...spec } })
  addNode(hand, 'n2', 'i-2')
  return hand
}

const smallGang = workload({ gang: true, gangDeadlineSeconds: 300, replicas: 1 })

let generation = 10

/** What `n1` and `n2` carry from now on. */
function carry(
  hand: Hand,
  by: Caller,
  on: { n1?: BoundReplica[]; n2?: BoundReplica[] },
): Violation | undefined {
  generation += 1
  const items = [
    on.n1 === undefined ? [] : assignment({ generation, replicas: on.n1 }),
    on.n2 === undefined ? [] : assignment({ ...N2, generation, replicas: on.n2 }),
  ]
  return hand.commit(by, ...items.flat())
}

/** The pass has done all that it meant to do. */
function end(hand: Hand, by: Caller): Violation | undefined {
  const { epoch } = hand.table.get(`${keys.pass().pk} ${keys.pass().sk}`) as { epoch?: number }
  hand.commit(by, passItem(epoch ?? 0, { lastGoodStartedAtMs: hand.world.nowMs }))
  return hand.over(by)
}

type Doing = (hand: Hand, by: Caller) => Violation | undefined

/** A pass that does these things and comes to its end; the first breach. */
function pass(hand: Hand, ...doings: readonly Doing[]): Violation | undefined {
  const by = hand.pass()
  const found = doings.map((own) => own(hand, by)).find((own) => own !== undefined)
  return found ?? end(hand, by)
}

const carrying =
  (on: Parameters<typeof carry>[2]): Doing =>
  (hand, by) =>
    carry(hand, by, on)

const BOTH = carrying({ n1: [ready('web/1-1')], n2: [ready('web/1-2')] })
const NONE = carrying({ n1: [], n2: [] })

function status(rooms: Readonly<Record<string, number>>): Item {
  const reservations = Object.entries(rooms).map(([name, count]) => {
    return { node: name, count, untilMs: START_MS }
  })
  return {
    ...keys.status('workload', 'web'),
    ...{ kind: 'status', noun: 'workload', name: 'web', uid: 'u-web', observedGeneration: 1 },
    ...{ version: versionOf(webTemplate()), desired: 2, assigned: 0, running: 0, ready: 0 },
    ...{ updated: 0, waiting: [], conditions: [], spotFailures: 0 },
    ...(reservations.length === 0 ? {} : { reservations }),
  }
}

const holding =
  (rooms: Readonly<Record<string, number>>): Doing =>
  (hand, by) =>
    hand.commit(by, status(rooms))

const breach = (text: RegExp): object => ({ rule: RULE, text: expect.stringMatching(text) })

describe('a gang runs whole or not at all', () => {
  it('accepts one that is bound by one pass', () => {
    expect(pass(gang(), BOTH)).toBeUndefined()
  })

  it('catches a part that was bound', () => {
    const part = carrying({ n1: [replica('web/1-1')] })
    expect(pass(gang(), part)).toMatchObject(breach(/1 of 2 of gang web are told to run/))
  })

  it('lets the next pass finish what one that died has begun', () => {
    const hand = gang()
    const by = hand.pass()
    carry(hand, by, { n1: [replica('web/1-1')] })
    expect(hand.over(by, 'crashed')).toBeUndefined()
    expect(pass(hand, carrying({ n2: [replica('web/2-1')] }))).toBeUndefined()
  })

  it('catches what is left half done, pass after pass', () => {
    const hand = gang()
    const by = hand.pass()
    carry(hand, by, { n1: [replica('web/1-1')] })
    hand.over(by, 'crashed')
    const found = Array.from({ length: 4 }, () => pass(hand))
    expect(found.slice(0, 3)).toEqual([undefined, undefined, undefined])
    expect(found[3]).toMatchObject(breach(/passes leave it so/))
  })

  it('catches one that takes the place of a lost one while others run', () => {
    const hand = gang()
    pass(hand, BOTH)
    pass(hand, (_, by) => hand.commit(by, node({ ...N2, lostSinceMs: hand.world.nowMs })))
    const anew = carrying({ n1: [ready('web/1-1'), replica('web/3-1')] })
    expect(pass(hand, anew)).toMatchObject(breach(/restarts as one/))
    const alone = gang({ gang: { restart: 'member' } })
    pass(alone, BOTH)
    pass(alone, (_, by) => alone.commit(by, node({ ...N2, lostSinceMs: alone.world.nowMs })))
    expect(pass(alone, anew)).toBeUndefined()
  })

  it('catches a part that was stopped, and all of it where one gave way', () => {
    const half = (code: string): Doing => carrying({ n2: [stopped('web/1-2', code)] })
    const hand = gang()
    pass(hand, BOTH)
    expect(pass(hand, half('GangRestart'))).toMatchObject(breach(/after it stopped/))
    const alone = gang({ gang: { restart: 'member' }, preemptible: true })
    pass(alone, BOTH)
    expect(pass(alone, half('Preempted'))).toMatchObject(breach(/after it stopped/))
    const smaller = gang({ gang: { restart: 'member' }, replicas: 2 })
    pass(smaller, BOTH)
    smaller.put('admin-api', workload({ gang: { restart: 'member' }, replicas: 1 }))
    expect(pass(smaller, half('ScaledIn'))).toBeUndefined()
  })

  it('catches a whole gang that is stopped for nothing', () => {
    const hand = gang()
    pass(hand, BOTH)
    const all = carrying({
      n1: [stopped('web/1-1', 'GangRestart')],
      n2: [stopped('web/1-2', 'GangRestart')],
    })
    expect(pass(hand, all)).toMatchObject(breach(/was whole, and was stopped/))
  })

  it('lets those restart that have lost a member, though no more of them are wanted', () => {
    const rest = carrying({ n1: [stopped('web/1-1', 'GangRestart')] })
    const whole = gang()
    pass(whole, carrying({ n1: [ready('web/1-1')] }))
    whole.put('admin-api', smallGang)
    expect(pass(whole, rest)).toMatchObject(breach(/was whole, and was stopped/))
    const torn = gang()
    pass(torn, BOTH)
    torn.put('admin-api', smallGang)
    torn.instance(N2.instanceId, { state: 'terminated' })
    const ends: Doing = (hand, by) => hand.commit(by, keys.node(N2.name))
    expect(pass(torn, ends, rest)).toBeUndefined()
  })

  it('catches a replacement beside what is there, and codes that only gangs know', () => {
    const moved = gang()
    pass(moved, carrying({ n1: [ready('web/1-1')], n2: [replica('web/1-2')] }))
    const one = carrying({ n2: [stopped('web/1-2', 'Moved')] })
    expect(pass(moved, one)).toMatchObject(breach(/went alone/))
    const loose = gang({ gang: false, gangDeadlineSeconds: undefined })
    pass(loose, BOTH)
    const code = carrying({ n2: [stopped('web/1-2', 'GangRestart')] })
    expect(pass(loose, code)).toMatchObject(breach(/of no gang/))
  })

  it('catches a start beside a process of the one before', () => {
    const hand = gang()
    pass(hand, BOTH)
    hand.process('i-1', { replicaId: 'web/1-1' })
    pass(hand, carrying({ n1: [stopped('web/1-1', 'Deadline')], n2: [] }))
    const anew = carrying({ n2: [replica('web/4-1'), replica('web/4-2')] })
    expect(pass(hand, anew)).toMatchObject(breach(/web\/1-1 of an earlier start still runs/))
  })
})

describe('a gang holds what it has until its deadline, and no longer', () => {
  const held = holding({ n1: 1, n2: 1 })
  const free = holding({})

  it('catches room that is held for longer', () => {
    const hand = gang({ replicas: 3 })
    expect(pass(hand, held)).toBeUndefined()
    hand.wait(DEADLINE_MS + 5_000)
    expect(pass(hand)).toMatchObject(breach(/past its deadline: 0 run, 2 have room/))
  })

  it('catches replicas that run for longer, and were never all ready', () => {
    const hand = gang()
    pass(hand, carrying({ n1: [ready('web/1-1')], n2: [replica('web/1-2')] }))
    hand.wait(DEADLINE_MS + 5_000)
    expect(pass(hand)).toMatchObject(breach(/past its deadline: 2 run/))
    const whole = gang()
    pass(whole, BOTH)
    whole.wait(DEADLINE_MS + 5_000)
    expect(pass(whole)).toBeUndefined()
  })

  it('catches a try that begins too early, and too early for the second time', () => {
    const hand = gang({ replicas: 3 })
    const fail = (): void => {
      pass(hand, held)
      hand.wait(DEADLINE_MS + 1_000)
      expect(pass(hand, free)).toBeUndefined()
    }
    fail()
    hand.wait(62_000)
    fail()
    hand.wait(62_000)
    expect(pass(hand, held)).toMatchObject(breach(/too early: 2 tries failed/))
  })

  it('knows a new try whose pass did not come to its end', () => {
    const hand = gang({ replicas: 3 })
    pass(hand, held)
    hand.wait(DEADLINE_MS + 1_000)
    const by = hand.pass()
    free(hand, by)
    hand.over(by, 'crashed')
    hand.wait(62_000)
    expect(pass(hand, held)).toBeUndefined()
  })

  it('forgets the tries of another version', () => {
    const hand = gang({ replicas: 3 })
    pass(hand, held)
    hand.wait(DEADLINE_MS + 1_000)
    pass(hand, free)
    const spec = { gang: true, gangDeadlineSeconds: 300, replicas: 3, env: { A: 'b' } }
    hand.put('admin-api', workload(spec))
    expect(pass(hand, held)).toBeUndefined()
  })

  it('catches room that somebody else was given', () => {
    const hand = gang()
    const uid = { ...keys.spec('workload', 'api'), name: 'api', uid: 'u-api' }
    hand.put('admin-api', workload({ replicas: 3 }, uid))
    const other = replica('api/1-1', { workload: 'api', uid: 'u-api' })
    const three = [other, { ...other, id: 'api/1-2' }, { ...other, id: 'api/1-3' }]
    const body: Doing = (_, by) => {
      const templates = { [`u-api/${other.version}`]: webTemplate() }
      return hand.commit(by, ...assignment({ generation: 90, replicas: three, templates }))
    }
    expect(pass(hand, held, body)).toMatchObject(breach(/on n1 was given away/))
  })

  it('counts what the version needs that people went back to', () => {
    const small = webTemplate()
    const large = webTemplate({ resources: { cpu: '3', memory: '256Mi' } })
    const [from, to] = [large, small].map(versionOf)
    const order = { ...{ kind: 'order', target: 'workload', name: 'web', uid: 'u-web' } }
    const back = { ...{ verb: 'rollout', paused: false, undo: { from, to } }, atMs: START_MS }
    const hand = gang()
    hand.put('admin-api', workload({ ...large, gang: true }, { generation: 2 }))
    hand.put('admin-api', { ...keys.order('workload', 'web'), ...order, ...back })
    expect(pass(hand, held)).toBeUndefined()
    hand.put('admin-api', { ...keys.order('workload', 'web'), ...order, ...back, undo: undefined })
    expect(pass(hand, held)).toMatchObject(breach(/was given away/))
  })

  it('catches a node that is ended as empty', () => {
    const drain = {
      ...{ reason: 'Empty', text: '', sinceMs: START_MS, generation: 2 },
      deadlineMs: START_MS + 60_000,
    }
    const ended: Doing = (hand, by) => hand.commit(by, node({ ...N2, drain } as object))
    expect(pass(gang({ replicas: 3 }), held, ended)).toMatchObject(breach(/n2 was drained/))
  })

  it('catches room that nobody takes up', () => {
    const hand = gang()
    const found = [pass(hand, held), pass(hand), pass(hand), pass(hand)]
    expect(found.slice(0, 3)).toEqual([undefined, undefined, undefined])
    expect(found[3]).toMatchObject(breach(/nobody binds it/))
  })

  it('lets one go that holds nothing any more', () => {
    const hand = gang({ replicas: 3 })
    pass(hand, held)
    expect(pass(hand, free, NONE)).toBeUndefined()
    hand.wait(DEADLINE_MS + 5_000)
    expect(pass(hand, held)).toBeUndefined()
  })
})

describe('one gang at a time lacks room in a pool', () => {
  const other = (spec: object): Item => ({
    ...workload({ gang: true, gangDeadlineSeconds: 300, ...spec }),
    ...{ ...keys.spec('workload', 'api'), name: 'api', uid: 'u-api' },
  })
  const theirs = (rooms: Readonly<Record<string, number>>): Item => ({
    ...{ ...status(rooms), ...keys.status('workload', 'api') },
    ...{ name: 'api', uid: 'u-api' },
  })

  it('catches one that begins where another lacks room, and two that wait for each other', () => {
    const hand = gang({ replicas: 3 })
    hand.put('admin-api', other({ replicas: 2 }))
    pass(hand, holding({ n1: 1 }))
    const begins: Doing = (_, by) => hand.commit(by, theirs({ n2: 1 }))
    expect(pass(hand, begins)).toMatchObject(breach(/api begins in pool general/))
    expect(pass(hand)).toMatchObject(breach(/wait for each other/))
  })

  it('accepts one that has all its room', () => {
    const hand = gang({ replicas: 3 })
    hand.put('admin-api', other({ replicas: 2 }))
    const mine = holding({ n1: 1 })
    const begins: Doing = (_, by) => hand.commit(by, theirs({ n2: 2 }))
    expect(pass(hand, begins)).toBeUndefined()
    expect(pass(hand, mine)).toBeUndefined()
    expect(pass(hand)).toBeUndefined()
  })
})
