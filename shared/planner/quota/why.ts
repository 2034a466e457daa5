/**
 * Why a quota lets no more of a workload run, in words that say what would change it.
 */
import { formatMib, formatMilli } from '../../model/quantities.ts'
import type { Reason } from '../../model/status.ts'
import { DIMENSIONS, type Ask, type Dimension, type Share } from './policy.ts'

export type Refused = {
  readonly ask: Ask
  /** Of its team; undefined where it has none that exists. */
  readonly share: Share | undefined
  readonly asks: readonly Ask[]
  /** When it may borrow again, where it had to give way lately. */
  readonly borrowsAgainAtMs: number | undefined
}

export function whyNotAllowed(refused: Refused): Reason {
  return { code: 'TeamQuota', text: `${whyNotByRight(refused)}; ${whyNotBorrowed(refused)}` }
}

function whyNotByRight({ ask, share, asks }: Refused): string {
  if (ask.team === undefined) return 'it has no team, and only teams are guaranteed something'
  if (share === undefined) return `there is no team ${ask.team}, so nothing is guaranteed to it`
  const mine = asks.filter((own) => own.team === ask.team)
  const ratios = DIMENSIONS.filter((own) => share.guarantee[own] !== Infinity).map((own) => {
    const asked = mine.reduce((sum, { need, wanted }) => sum + need[own] * wanted, 0)
    const quota = share.guarantee[own]
    return { own, asked, quota, ratio: asked / Math.max(1, quota) }
  })
  const [worst] = ratios.toSorted((a, b) => b.ratio - a.ratio)
  if (worst === undefined || worst.asked <= worst.quota) {
    return `team ${share.team} has nothing left of its quota`
  }
  const over = TELL[worst.own](worst.asked - worst.quota)
  return `team ${share.team} asks for ${over} over its quota of ${TELL[worst.own](worst.quota)}`
}

function whyNotBorrowed({ ask, share, borrowsAgainAtMs }: Refused): string {
  if (!ask.preemptible) return 'beyond that, only preemptible work runs'
  if (share?.mayBorrow === false) return 'it borrows nothing'
  if (ask.isCoolingDown && borrowsAgainAtMs !== undefined) {
    return `it had to give way and borrows again at ${new Date(borrowsAgainAtMs).toISOString()}`
  }
  return 'no team has that much idle to lend'
}

const TELL: Readonly<Record<Dimension, (amount: number) => string>> = {
  cpuMilli: (milli) => counted(milli, 'CPU'),
  memoryMib: (mib) => `${formatMib(mib)} of memory`,
  gpuMilli: (milli) => counted(milli, 'GPU'),
}

const counted = (milli: number, what: string): string =>
  `${formatMilli(milli)} ${what}${milli === 1000 ? '' : 's'}`
