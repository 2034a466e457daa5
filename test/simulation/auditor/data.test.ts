import { expect, it } from 'vitest'
import { dataKey } from '#shared/model/data.ts'
import { versionOf } from '#shared/model/version.ts'
import { assignment, herd, replica, webTemplate, type Hand } from './hand-made.ts'

const RULE = 'data'
const said = (text: RegExp): object => ({ rule: RULE, text: expect.stringMatching(text) })
const DATA = { data: { version: 'v1', source: 's3://acme/1/' } }
const KEY = dataKey(DATA.data)
const template = webTemplate(DATA)
const version = versionOf(template)

const start = (hand: Hand, more: object = {}) => hand.process('i-1', { template, version, ...more })

it('is caught when a process starts before all of its data is there', () => {
  const hand = herd({ workload: DATA })
  const templates = { [`u-web/${version}`]: template }
  const replicas = [replica('web/1-1', { version })]
  const bound = assignment({ generation: 2, templates, replicas })
  hand.commit(hand.pass(), ...bound)
  expect(start(hand)).toMatchObject(said(/web\/1-1 was started on i-1, which does not have all/))
  hand.processes.clear()
  hand.data.set('i-1', new Map([[KEY, 'aa']]))
  expect(start(hand, { digest: 'aa' })).toBeUndefined()
  hand.data.set('i-1', new Map([[KEY, 'bb']]))
  expect(hand.auditor.full()).toMatchObject(said(/the data of web\/1-1 went while it ran/))
})

it('is caught when more fetch at once than may', () => {
  const bind = (count: number, more: object = {}) => {
    const hand = herd({ workload: { ...DATA, replicas: 20, resources: { cpu: '1m' } } })
    const tiny = webTemplate({ ...DATA, resources: { cpu: '1m', memory: '1Mi' } })
    const own = { version: versionOf(tiny), dataKey: KEY, ...more }
    const replicas = Array.from({ length: count }, (_, i) => replica(`web/1-${String(i)}`, own))
    const templates = { [`u-web/${own.version}`]: tiny }
    const by = hand.pass()
    const found = hand.commit(by, ...assignment({ generation: 2, templates, replicas }))
    return found?.rule === RULE ? found : undefined
  }
  expect(bind(10)).toBeUndefined()
  expect(bind(11)).toMatchObject(said(/11 of web fetch at once, of 10/))
  expect(bind(11, { fetchedAtMs: 1 })).toBeUndefined()
})

it('is not settled while replicas of a version serve different data', () => {
  const hand = herd({ workload: DATA })
  hand.data.set('i-1', new Map([[KEY, 'aa']]))
  start(hand, { digest: 'aa' })
  start(hand, { replicaId: 'web/1-2', digest: 'bb' })
  const found = (): readonly string[] =>
    hand.auditor.unsettled().filter((own) => own.includes('different data'))
  expect(found()).toEqual([`workload web: version ${version} serves 2 different data`])
  hand.processes.set('i-1', hand.processes.get('i-1')?.slice(0, 1) ?? [])
  expect(found()).toEqual([])
})
