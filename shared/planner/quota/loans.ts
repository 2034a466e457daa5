/**
 * What a team has borrowed lately counts against it when others want to borrow too.
 *
 * It is an average over the past in which every half-life halves the weight of what was. A stamp
 * and two numbers are enough to know it at any time, and they change only when the loan does.
 *
 * Source: usage-based fair sharing of Kueue (KEP-4136) and of batch schedulers before it.
 */
import { LIMITS } from '../../model/limits.ts'
import type { Loans } from '../../model/status.ts'

/** The average at that time, as a part of all that is guaranteed to anybody. */
export function debtAt(loans: Loans | undefined, nowMs: number): number {
  if (loans === undefined) return 0
  const old = 2 ** -((nowMs - loans.sinceMs) / LIMITS.loanHalfLifeMs)
  return loans.before * old + loans.part * (1 - old)
}

/** What is remembered from now on; nothing of a team that has not borrowed for long. */
export function loansFrom(old: Loans | undefined, part: number, nowMs: number): Loans | undefined {
  if (old?.part === part && (part > 0 || debtAt(old, nowMs) >= FORGOTTEN)) return old
  const before = debtAt(old, nowMs)
  return part === 0 && before < FORGOTTEN ? undefined : { part, before, sinceMs: nowMs }
}

const FORGOTTEN = 1e-3

/** When it is as if it had never borrowed; never while it borrows. */
export function forgottenAtMs({ part, before, sinceMs }: Loans): number {
  if (part > 0) return Infinity
  const halves = Math.max(0, Math.log2(before / FORGOTTEN))
  return Math.ceil(sinceMs + LIMITS.loanHalfLifeMs * halves) + 1
}
