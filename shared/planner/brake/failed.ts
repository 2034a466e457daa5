/**
 * The cap on replacing machines that failed their burn-in: so many an hour, for so much.
 *
 * Each that failed is paid for while it was tested and, in quarantine, for some time after, and its
 * replacement may fail too. Beyond a fifth of the pool, in machines or in money, nothing is bought
 * for it until the oldest of them is an hour ago. A few are always replaced, or one bad machine of
 * a small pool would stop it.
 */
import { LIMITS } from '../../model/limits.ts'
import type { Brake } from '../../model/facts.ts'
import type { Node } from '../../model/node.ts'
import type { PoolItem } from '../../model/spec-item.ts'
import type { Reason } from '../../model/status.ts'
import type { Ending } from './makes.ts'

export type Failed = NonNullable<Brake['failed']>

/** Those of the last hour. */
export function failedOf(
  known: Failed,
  { endings, nowMs }: { endings: readonly Ending[]; nowMs: number },
): Failed {
  const fresh = endings
    .filter((own) => !own.passed)
    .map(({ instanceId, usdPerHour, isRefused }) => ({
      ...{ instanceId, atMs: nowMs },
      // It was never tested, and its like may be handed out again and again: the count is its cap.
      usdPerHour: isRefused ? 0 : usdPerHour,
    }))
  const again = new Set(fresh.map((own) => own.instanceId))
  const kept = known.filter(
    (own) => nowMs - own.atMs < LIMITS.failedWindowMs && !again.has(own.instanceId),
  )
  return [...kept, ...fresh].slice(-LIMITS.failedKept)
}

export type FailedPool = {
  readonly name: string
  /** Undefined for one that is gone. */
  readonly pool: PoolItem | undefined
  readonly nodes: readonly Node[]
}

/** Why nothing is bought for the pool now, and until when; undefined where it may be. */
export function capOn(failed: Failed, { name, pool, nodes }: FailedPool): Reason | undefined {
  const share = Math.floor(LIMITS.brakeShare * nodes.length)
  const most = Math.min(Math.max(LIMITS.failedPerHour, share), LIMITS.failedKept - 1)
  const worth = pool?.spec.limits.costPerHour ?? sum(nodes.map(priceOf))
  const mostUsd = Math.max(LIMITS.failedUsdPerHour, LIMITS.brakeShare * worth)
  const isTooMuch = (some: Failed): boolean =>
    some.length > most ||
    (some.length > LIMITS.makeFailuresLeast && sum(some.map((own) => own.usdPerHour)) > mostUsd)
  if (!isTooMuch(failed)) return undefined
  const last = failed.find((_, i) => !isTooMuch(failed.slice(i + 1)))
  const cost = sum(failed.map((own) => own.usdPerHour))
  const seen = `${String(failed.length)} machines of pool ${name}, $${cost.toFixed(2)}/h,`
  const limit = `at most ${String(most)} and $${mostUsd.toFixed(2)}/h are replaced`
  return {
    code: 'ReplacementLimit',
    text: `${seen} failed their burn-in within an hour and ${limit}: more are bought`,
    ...(last === undefined ? {} : { atMs: last.atMs + LIMITS.failedWindowMs }),
  }
}

const priceOf = ({ machine, claim }: Node): number =>
  machine?.priceUsdPerHour ?? claim.dearestUsdPerHour

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
