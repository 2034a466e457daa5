/**
 * How often new machines fail their burn-in, by type, zone and image: counts that fade.
 *
 * EC2 shows no lasting identity of a machine without GPUs, so nobody can tell whether it hands the
 * same one out again; what can be known is where bad ones come from. Counts halve in a week. That
 * is done when they are written, for all of them at once, so that whoever reads them compares no
 * clocks: a herd that tests nothing buys nothing either, and the first machine that it tests brings
 * them up to date.
 */
import { z } from 'zod'
import { byKey, inOrder } from '../base/order.ts'
import { LIMITS } from './limits.ts'

const rateSchema = z.object({
  instanceType: z.string(),
  zone: z.string(),
  /** As in a node's machine; absent where nobody knows it. */
  imageId: z.string().optional(),
  failed: z.number().min(0),
  passed: z.number().min(0),
})
export type Rate = z.infer<typeof rateSchema>

/** Written by `burn-in`. */
export const ratesSchema = z.object({
  kind: z.literal('rates'),
  /** Another with each write: of two that read the same counts one writes. */
  revision: z.int().min(0),
  /** When the counts were what they are. */
  atMs: z.int(),
  rates: z.array(rateSchema),
})
export type Rates = z.infer<typeof ratesSchema>

/** What a burn-in came to, and of what. */
export type Outcome = Pick<Rate, 'instanceType' | 'zone' | 'imageId'> & { readonly passed: boolean }

export function rateKey({ instanceType, zone, imageId = '' }: Omit<Outcome, 'passed'>): string {
  return `${instanceType}/${zone}/${imageId}`
}

/** The counts with the outcomes in them, as of `nowMs`: a clock that is behind takes none away. */
export function countIn(
  before: Rates | undefined,
  outcomes: readonly Outcome[],
  nowMs: number,
): Rates {
  const atMs = Math.max(nowMs, before?.atMs ?? nowMs)
  const left = 2 ** (((before?.atMs ?? atMs) - atMs) / LIMITS.rateHalfLifeMs)
  const rates = new Map<string, Rate>()
  for (const own of before?.rates ?? []) {
    rates.set(rateKey(own), { ...own, failed: own.failed * left, passed: own.passed * left })
  }
  for (const { passed, instanceType, zone, imageId } of outcomes) {
    const key = rateKey({ instanceType, zone, imageId })
    const place = { instanceType, zone, ...(imageId === undefined ? {} : { imageId }) }
    const old = rates.get(key) ?? { ...place, failed: 0, passed: 0 }
    rates.set(key, {
      ...old,
      failed: old.failed + (passed ? 0 : 1),
      passed: old.passed + (passed ? 1 : 0),
    })
  }
  const fresh = new Set(outcomes.map(rateKey))
  const isOld = (own: Rate): number => (fresh.has(rateKey(own)) ? 0 : 1)
  const kept = [...rates.values()]
    .map((own) => ({ ...own, failed: rounded(own.failed), passed: rounded(own.passed) }))
    .filter((own) => weightOf(own) >= LIMITS.rateLeastWeight)
    .toSorted(
      inOrder(
        byKey(isOld),
        byKey((own) => -weightOf(own)),
        byKey(rateKey),
      ),
    )
    .slice(0, LIMITS.ratesKept)
  return { kind: 'rates', revision: (before?.revision ?? 0) + 1, atMs, rates: kept }
}

const weightOf = ({ failed, passed }: Rate): number => failed + passed

/** Four digits say more than such counts can. */
function rounded(count: number): number {
  return Math.round(count * 10_000) / 10_000
}
