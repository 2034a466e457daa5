/**
 * The weather of a simulated world: what EC2, machines and luck do to it, and when.
 */
import type { Chance } from './chance.ts'
import type { FaultKnobs } from './options.ts'
import type { Happening, Step } from './script.ts'
import { FINDINGS } from './watch.ts'

const MINUTE_MS = 60_000

type Rate = { readonly perDay: number; readonly endMs: number }

/** The moments of what happens so often a day on average, after the herd's first ten minutes. */
export function momentsOf(chance: Chance, what: string, { perDay, endMs }: Rate): number[] {
  const moments: number[] = []
  if (perDay <= 0) return moments
  let atMs = 10 * MINUTE_MS
  for (let i = 0; ; i += 1) {
    atMs += chance.waitMs(`${what} wait ${String(i)}`, perDay / 24)
    if (atMs >= endMs) return moments
    moments.push(atMs)
  }
}

type Weather = { readonly knobs: FaultKnobs; readonly endMs: number; readonly machines: number }
type Strike = (chance: Chance, key: string) => Happening

const minutes = (chance: Chance, key: string, range: { min: number; max: number }): number =>
  chance.int(`minutes ${key}`, range) * MINUTE_MS

const strikes: Readonly<Record<string, Strike>> = {
  interrupt: (chance, key) => ({
    kind: 'interrupt',
    noticeSeconds: chance.pick(`notice ${key}`, [120, 120, 120, 30, 5]),
  }),
  rebalance: () => ({ kind: 'rebalance' }),
  storm: () => ({ kind: 'storm', share: 0.3 }),
  drought: (chance, key) => ({
    kind: 'drought',
    of: chance.pick(`of ${key}`, ['spot', 'zone', 'type', 'all'] as const),
    forMs: minutes(chance, key, { min: 5, max: 120 }),
  }),
  price: (chance, key) => ({
    kind: 'price',
    factor: chance.pick(`factor ${key}`, [0.5, 0.8, 1.5, 2.5]),
    forMs: minutes(chance, key, { min: 10, max: 120 }),
  }),
  stray: () => ({ kind: 'stray' }),
  'bad-image': (chance, key) => ({
    kind: 'bad-image',
    pool: chance.pick(`pool ${key}`, ['general', 'general', 'quiet', 'gpu']),
    forMs: minutes(chance, key, { min: 5, max: 90 }),
  }),
  impair: () => ({ kind: 'impair' }),
  'machine-death': () => ({ kind: 'machine-death' }),
  reboot: () => ({ kind: 'reboot' }),
  wear: () => ({ kind: 'wear' }),
  hang: (chance, key) => ({ kind: 'hang', forMs: minutes(chance, key, { min: 1, max: 30 }) }),
  'agent-restart': () => ({ kind: 'agent-restart' }),
  nonsense: (chance, key) => ({
    kind: 'nonsense',
    forMs: minutes(chance, key, { min: 1, max: 20 }),
  }),
  'process-crash': () => ({ kind: 'process-crash' }),
  'process-sick': (chance, key) => ({
    kind: 'process-sick',
    forMs: minutes(chance, key, { min: 1, max: 15 }),
  }),
  finding: (chance, key) => ({
    kind: 'finding',
    problem: chance.pick(`problem ${key}`, FINDINGS),
    forMs: minutes(chance, key, { min: 1, max: 60 }),
    isTrue: chance.of(`true ${key}`) < 0.3,
    ...(chance.of(`everybody ${key}`) < 0.15 ? { everybody: true } : {}),
  }),
  outage: (chance, key) => ({ kind: 'outage', forMs: minutes(chance, key, { min: 1, max: 12 }) }),
}

export function weatherSteps(chance: Chance, { knobs, endMs, machines }: Weather): Step[] {
  const perDay: Readonly<Record<string, number>> = {
    interrupt: knobs.interruptionsPerHour * 24 * machines,
    rebalance: knobs.interruptionsPerHour * 12 * machines,
    storm: knobs.stormsPerDay,
    drought: knobs.droughtsPerDay,
    price: knobs.priceLeapsPerDay,
    stray: knobs.straysPerDay,
    'bad-image': knobs.badImagesPerDay,
    impair: knobs.machineDeathsPerDay / 2,
    'machine-death': knobs.machineDeathsPerDay,
    reboot: knobs.rebootsPerDay,
    wear: knobs.wearPerDay,
    hang: knobs.agentHangsPerDay,
    'agent-restart': knobs.agentRestartsPerDay,
    nonsense: knobs.nonsensePerDay,
    'process-crash': knobs.processCrashesPerDay,
    'process-sick': knobs.processCrashesPerDay / 2,
    outage: knobs.outagesPerDay,
    finding: knobs.findingsPerDay,
  }
  return Object.entries(perDay).flatMap(([what, rate]) =>
    momentsOf(chance, `weather ${what}`, { perDay: rate, endMs }).map((atMs, i) => {
      const strike = strikes[what] as Strike
      return { atMs, ...strike(chance, `${what} ${String(i)}`) }
    }),
  )
}
