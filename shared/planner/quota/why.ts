/**
 * Why a quota lets no more of a workload run, in words that say what would change it.
 */
import { formatMib, formatMilli } from '../../model/quantities.ts'
import type { Reason } from '../../model/status.ts'
import { DIMENSIONS, type Ask, type Dimension, type Share } from './policy.ts'

export type Asking = {
  readonly ask: Ask
  /** Of its team; undefined where it has none that exists. */
  readonly share: Share | undefined
  readonly asks: readonly Ask[]
}

export type Refused = Asking & {
  /** When it may borrow again, where it had to give way lately. */
  readonly borrowsAgainAtMs: number | undefined
}

/** `team batch is 3 CPUs over its guarantee of 1 CPU`, or what else its right is short of. */
export function overGuarantee({ ask, share, asks }: Asking): string {
  if (ask.team === undefined) return 'it has no team, and only teams are guaranteed something'
  if (share === undefined) return `there is no team ${ask.team}, so nothing is guaranteed to it`
  const mine = asks.filter((own) => own.team === ask.team)
  const ratios = DIMENSIONS.filter((own) => share.guarantee[own] !== Infinity).map((own) => {
    const asked = mine.reduce((sum, one) => sum + askedOf(one, own), 0)
    const guarantee = share.guarantee[own]
    return { own, asked, guarantee, ratio: asked / Math.max(1, guarantee) }
  })
  const [worst] = ratios.toSorted((a, b) => b.ratio - a.ratio)
  if (worst === undefined || worst.asked <= worst.guarantee) {
    return `team ${share.team} has nothing left of its guarantee`
  }
  const { own, asked, guarantee } = worst
  const over = TELL[own](asked - guarantee)
  return `team ${share.team} is ${over} over its guarantee of ${TELL[own](guarantee)}`
}

/** All that it wants: nothing less than what it has. */
function askedOf({ need, wanted, has }: Ask, own: Dimension): number {
  const had = has.reduce((sum, holding) => sum + holding.need[own] * holding.count, 0)
  return Math.max(had, need[own] * wanted)
}

export function whyNotAllowed(refused: Refused): Reason {
  const { ask, share, borrowsAgainAtMs } = refused
  const told = (why: string): Reason => {
    return { code: 'TeamQuota', text: `${overGuarantee(refused)}${why}` }
  }
  if (!ask.preemptible) return told(', and beyond that only preemptible work runs')
  if (share?.mayBorrow === false) return told(', and it borrows nothing')
  if (ask.isCoolingDown && borrowsAgainAtMs !== undefined) {
    return { ...told('; it had to give way, and borrows again'), atMs: borrowsAgainAtMs }
  }
  return told(' and nothing is idle that others lend')
}

const TELL: Readonly<Record<Dimension, (amount: number) => string>> = {
  cpuMilli: (milli) => counted(milli, 'CPU'),
  memoryMib: (mib) => `${formatMib(mib)} of memory`,
  gpuMilli: (milli) => counted(milli, 'GPU'),
}

const counted = (milli: number, what: string): string =>
  `${formatMilli(milli)} ${what}${milli === 1000 ? '' : 's'}`
