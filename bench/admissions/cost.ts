/**
 * What a burn-in costs: bad machines while they were paid for, good ones while they were tested.
 */
import type { Machine } from './wave.ts'

export type Cost = {
  /** Means, seconds a machine. */
  readonly badSeconds: number
  readonly testSeconds: number
  readonly badUsd: number
  readonly testUsd: number
  /** Of what the good machines cost in an hour. */
  readonly extraShare: number
}

const HOUR_SECONDS = 3_600

export function costOf(machines: readonly Machine[]): Cost {
  const bad = machines.filter((own) => own.isBad)
  const good = machines.filter((own) => !own.isBad)
  const usd = (list: readonly Machine[], seconds: (own: Machine) => number): number =>
    list.reduce((sum, own) => sum + (own.priceUsdPerHour * seconds(own)) / HOUR_SECONDS, 0)
  const badUsd = usd(bad, (own) => own.paidSeconds)
  const testUsd = usd(good, (own) => own.testSeconds)
  return {
    badSeconds: meanOf(bad.map((own) => own.paidSeconds)),
    testSeconds: meanOf(good.map((own) => own.testSeconds)),
    ...{ badUsd, testUsd },
    extraShare: (badUsd + testUsd) / usd(good, () => HOUR_SECONDS),
  }
}

function meanOf(list: readonly number[]): number {
  return list.length === 0 ? 0 : list.reduce((sum, own) => sum + own, 0) / list.length
}
