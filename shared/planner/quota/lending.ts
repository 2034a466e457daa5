/**
 * Grants what fits each team's guarantee, and lends what teams leave idle of theirs.
 *
 * Only preemptible work borrows, because what is lent is asked back. What a team waits for counts
 * as used by it, so nothing is lent that its owner is about to need. Borrowers that run keep what
 * they have; what is left goes piece by piece to whoever bears the least burden, which is for the
 * policy to say.
 *
 * Source: the semantics of Kueue's cohorts (nominal quota, lending limit), figures and faults of
 * its peers in `research/lifecycle.md` §3.
 */
import { fitting, guaranteeWhatStays, openBooks, partsOf } from './books.ts'
import type { Account, Books, Part } from './books.ts'
import type { Amount, Dimension, Grant, QuotaQuestion } from './policy.ts'

/** `burdenOf`: what a team bears already, given what it has borrowed so far. */
export function grantAndLend(
  question: QuotaQuestion,
  burdenOf: (account: Account, borrowed: Amount) => number,
): ReadonlyMap<string, Grant> {
  const books = openBooks(question)
  const parts = partsOf(question.asks)
  const beyond: Part[] = []
  for (const part of guaranteeWhatStays(books, parts)) {
    const room = fitting(part.need, books.accountOf(part.ask).left, books.governed)
    const count = Math.min(part.count, room)
    books.guarantee(part, count)
    if (count < part.count) beyond.push({ ...part, count: part.count - count })
  }
  const borrowers = beyond.filter(
    ({ ask, kind }) =>
      (ask.preemptible || kind === 'loose') && books.accountOf(ask).share.mayBorrow,
  )
  const bank = openBank(books)
  for (const part of borrowers.filter((own) => own.kind === 'loose')) {
    for (let i = 0; i < part.count && bank.draw(part); i += 1) books.lend(part, 1)
  }
  shareOut(
    borrowers.filter((own) => own.kind !== 'loose' && !own.ask.isCoolingDown),
    { books, bank, burdenOf },
  )
  return books.grants
}

type Bank = {
  /** Takes one piece off what others lend; false where there is not enough. */
  draw(part: Part): boolean
  borrowedBy(account: Account): Amount
}

function openBank({ governed, accounts, accountOf }: Books): Bank {
  const borrowed = new Map<Account, Record<Dimension, number>>()
  const lent = new Map<Account, Record<Dimension, number>>()
  const amountsIn = (book: typeof lent, account: Account): Record<Dimension, number> => {
    const known = book.get(account) ?? { cpuMilli: 0, memoryMib: 0, gpuMilli: 0 }
    book.set(account, known)
    return known
  }
  const spareOf = (account: Account, own: Dimension): number => {
    if (account.share.guarantee[own] === Infinity) return 0
    const mayLend = account.share.lend[own] - amountsIn(lent, account)[own]
    return Math.max(0, Math.min(account.left[own], mayLend))
  }
  const lendersFor = (account: Account): readonly Account[] =>
    accounts.filter((own) => own !== account)
  const hasRoom = ({ ask, need }: Part): boolean => {
    const account = accountOf(ask)
    return governed.every((own) => {
      let room = Math.max(0, account.left[own])
      for (const lender of lendersFor(account)) room += spareOf(lender, own)
      return room >= need[own]
    })
  }
  const draw = (part: Part): boolean => {
    if (!hasRoom(part)) return false
    const account = accountOf(part.ask)
    for (const own of governed) {
      let missing = part.need[own]
      const mine = Math.min(missing, Math.max(0, account.left[own]))
      account.left[own] -= mine
      missing -= mine
      amountsIn(borrowed, account)[own] += missing
      for (const lender of lendersFor(account)) {
        const part = Math.min(missing, spareOf(lender, own))
        lender.left[own] -= part
        amountsIn(lent, lender)[own] += part
        missing -= part
      }
    }
    return true
  }
  return { draw, borrowedBy: (account) => amountsIn(borrowed, account) }
}

type Lending = {
  readonly books: Books
  readonly bank: Bank
  readonly burdenOf: (account: Account, borrowed: Amount) => number
}

/** One piece at a time to the team that bears the least burden. */
function shareOut(parts: readonly Part[], { books, bank, burdenOf }: Lending): void {
  const queues = new Map<Account, Part[]>()
  for (const part of parts) {
    const account = books.accountOf(part.ask)
    queues.set(account, [...(queues.get(account) ?? []), part])
  }
  for (;;) {
    let next: { account: Account; burden: number } | undefined
    for (const [account, queue] of queues) {
      const burden = burdenOf(account, bank.borrowedBy(account))
      if (queue.length > 0 && (next === undefined || burden < next.burden)) {
        next = { account, burden }
      }
    }
    const queue = next === undefined ? undefined : queues.get(next.account)
    const part = queue?.shift()
    if (queue === undefined || part === undefined) return
    if (!bank.draw(part)) continue
    books.lend(part, 1)
    if (part.count > 1) queue.unshift({ ...part, count: part.count - 1 })
  }
}
