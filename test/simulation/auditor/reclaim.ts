/**
 * Who gives way to whom: nobody within its team's quota for another team, nobody who may not be
 * preempted; firm work stays within its quota; and no borrower keeps what somebody entitled needs.
 *
 * Sums are those of the pass's own scan. Where several readings of a quota are fair, only what
 * breaks all of them is told. Who is kept from what is `entitled.ts`.
 */
import { templateKey, type BoundReplica } from '#shared/model/assignment.ts'
import { isGang } from '#shared/model/gang.ts'
import type { Node } from '#shared/model/node.ts'
import { countOf } from '#shared/model/quantities.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import type { Template } from '#shared/model/version.ts'
import type { Change } from '#shared/store/store.ts'
import type { Caller } from '../traffic.ts'
import { desiredOf, runningIn } from './available.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { keptFromEntitled, viewNow, viewOf } from './entitled.ts'
import { keptIn, memberNeed, roomsIn } from './gang-facts.ts'
import { statusOf } from './items.ts'
import { needOf, plus, ZERO, type Amount } from './needs.ts'
import type { OpenPass } from './passes.ts'
import { makePast, takenBy, type Past } from './past-use.ts'
import { isBeyond, largestFirst, quotasOf, times } from './quotas.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan } from './scan.ts'

const RULE = '7 quota'
const GIVES_WAY: ReadonlySet<string> = new Set(['Reclaimed', 'Preempted'])

/** What a pass has bound and sent away so far. */
type Deeds = {
  readonly bound: Added[]
  readonly reclaimed: BoundReplica[]
  /** All that it has sent away for others. */
  givenWay: number
}

export function makeReclaim(knowledge: Knowledge): Rule {
  const { passes } = knowledge
  const deeds = new Map<string, Deeds>()
  const patience = makePatience()
  const past = makePast()
  const deedsOf = ({ label }: Caller): Deeds => {
    const known = deeds.get(label) ?? { bound: [], reclaimed: [], givenWay: 0 }
    deeds.set(label, known)
    return known
  }
  return {
    see: {
      write: ({ by, changes }) => {
        const pass = passes.of(by)
        if (pass?.scan === undefined) return undefined
        const done = deedsOf(by)
        const judged = { pass, scan: pass.scan, done, past }
        const told = (text: string | undefined): Breach | undefined =>
          text === undefined ? undefined : { rule: RULE, text: `${by.label}: ${text}` }
        const moved = firstOf(changes.filter(isBody), (change) => {
          const { added, stopped, after } = bodyChange(change)
          const withTemplate = (bound: BoundReplica): Added => {
            return { bound, template: after?.templates[templateKey(bound)] }
          }
          const wrong = [
            ...stopped.map((bound) => wrongVictim(bound, judged)),
            ...added.map((bound) => wrongBinding(withTemplate(bound), judged)),
          ]
          return told(wrong.find((text) => text !== undefined))
        })
        return moved ?? firstOf(changes, (change) => told(wrongHold(change, judged)))
      },
      over: ({ by, how }): Breach | undefined => {
        const scan = passes.of(by)?.scan
        const done = deeds.get(by.label)
        deeds.delete(by.label)
        if (scan === undefined || scan.teams().teams.length === 0) return undefined
        past.note(scan)
        if (how !== 'ended') return undefined
        const isMoving = (done?.bound.length ?? 0) + (done?.givenWay ?? 0) > 0
        const found = isMoving ? [] : keptFromEntitled(viewOf(scan, knowledge))
        return firstOf(patience.tooLong(found), (text) => ({ rule: RULE, text }))
      },
    },
    unsettled: () => keptFromEntitled(viewNow(knowledge)).map((text) => `${RULE}: ${text}`),
  }
}

/** A pass may be cut short, or overtaken; five in a row have looked and done nothing. */
const PASSES_MAX = 5

function makePatience() {
  let seen = new Map<string, number>()
  return {
    /** Those of the texts that were told by so many passes in a row. */
    tooLong: (texts: readonly string[]): readonly string[] => {
      seen = new Map(texts.map((text) => [text, (seen.get(text) ?? 0) + 1]))
      return texts.filter((text) => (seen.get(text) ?? 0) >= PASSES_MAX)
    },
  }
}

type Judged = {
  readonly pass: OpenPass
  readonly scan: Scan
  readonly done: Deeds
  readonly past: Past
}

function wrongVictim(bound: BoundReplica, { scan, done, past }: Judged): string | undefined {
  const code = bound.stopReason?.code ?? ''
  if (!GIVES_WAY.has(code)) return undefined
  done.givenWay += 1
  const workload = scan.workload(bound.workload)
  if (workload?.uid !== bound.uid) return undefined
  const mayBeLoan = code === 'Reclaimed' && past.hasChangedTerms(workload)
  if (!workload.spec.preemptible && !mayBeLoan) {
    return `${bound.id} was ${code}, and it may not be preempted`
  }
  if (code !== 'Reclaimed') return undefined
  done.reclaimed.push(bound)
  const { team } = workload.spec
  const gone = new Set(done.reclaimed.map((own) => own.id))
  gone.delete(bound.id)
  const before = scan
    .workloads()
    .filter((own) => own.spec.team === team)
    .flatMap((own) => scan.replicasOf(own.uid))
    // Nodes that the pass itself found to be lost or over still counted when it read them.
    .filter(({ bound: { id, order }, node }) => order === 'run' && !isOver(node) && !gone.has(id))
  const used = takenBy(before)
  const guarantee = quotasOf(scan.teams(), []).guaranteeOf(team)
  if (isBeyond(used, guarantee)) return undefined
  const told = `cpu ${String(used.cpuMilli)} of ${String(guarantee.cpuMilli)} milli`
  return `${bound.id} was reclaimed, and its team ${team ?? '(none)'} is within its quota (${told})`
}

type Added = { readonly bound: BoundReplica; readonly template: Template | undefined }

/**
 * Work that may not be preempted runs within its team's quota, each replica counted as it was
 * bound. Only plain growth and roll-outs are judged: what moves and an on-demand base that is
 * restored may have more for a while. Where the quota was lowered below what ran, as much may run
 * again.
 */
function wrongBinding(added: Added, judged: Judged): string | undefined {
  const { scan, done } = judged
  const { bound } = added
  done.bound.push(added)
  const workload = scan.workload(bound.workload)
  if (workload?.uid !== bound.uid) return undefined
  // A gang's room was judged when it began to hold it.
  if (isGang(workload) && roomsIn(keptIn(scan, workload)) > 0) return undefined
  const beyond = beyondQuota(workload, judged, [])
  return beyond === undefined ? undefined : `${bound.id} was bound, and ${beyond}`
}

/** Room that a gang begins to hold counts as if all of it ran. */
function wrongHold({ before, after }: Change, judged: Judged): string | undefined {
  const [was, is] = [statusOf(before), statusOf(after)]
  const [had, has] = [was, is].map((own) => roomsIn(own?.reservations ?? []))
  if (is === undefined || had !== 0 || has === 0) return undefined
  const workload = judged.scan.workload(is.name)
  if (workload?.uid !== is.uid || !isGang(workload)) return undefined
  const need = memberNeed(workload, judged.scan)
  const rooms = Array.from({ length: desiredOf(workload) }, () => need)
  const beyond = beyondQuota(workload, judged, rooms)
  return beyond === undefined ? undefined : `gang ${is.name} holds room, and ${beyond}`
}

/** What its team has too much, if it comes to have that much room besides. */
function beyondQuota(
  workload: WorkloadItem,
  { pass, scan, done, past }: Judged,
  rooms: readonly Amount[],
): string | undefined {
  const { uid, spec } = workload
  const { team } = spec
  if (spec.preemptible || spec.capacity.onDemandBase > 0) return undefined
  const isMoving = runningIn(scan, pass, uid).some(({ node }) =>
    isLeaving(pass.written.get(node.name) ?? node),
  )
  if (isMoving) return undefined
  const firmWork = scan.workloads().filter((one) => one.spec.team === team && !one.spec.preemptible)
  let [used, allowance, had] = [ZERO, ZERO, ZERO]
  for (const one of firmWork) {
    had = plus(had, past.mostOf(one))
    const bindings = done.bound.filter((own) => own.bound.uid === one.uid)
    const firm = runningIn(scan, pass, one.uid).filter((own) => !past.mayBeOnLoan(one, own.bound))
    const sizes = [...firm, ...bindings].map((own) => takenBy([own]))
    const mine = one.uid === uid ? [...sizes, ...rooms] : sizes
    // Beyond the desired count a roll-out has more for a while: the smallest are let off.
    used = largestFirst(mine).slice(0, desiredOf(one)).reduce(plus, used)
    const { maxSurge } = one.spec.rollout
    const surge = countOf(maxSurge, { total: desiredOf(one), round: 'up' })
    allowance = plus(allowance, times(needOf(one.spec), surge + 1))
  }
  const guarantee = quotasOf(scan.teams(), []).guaranteeOf(team)
  if (!isBeyond(used, plus(guarantee, allowance))) return undefined
  if (!isBeyond(used, plus(had, allowance))) return undefined
  const told = `cpu ${String(used.cpuMilli)} of ${String(guarantee.cpuMilli)} milli`
  return `team ${team ?? '(none)'} has more firm work than its quota (${told})`
}

const isOver = ({ phase, lostSinceMs }: Node): boolean =>
  phase === 'terminating' || lostSinceMs !== undefined

const isLeaving = (node: Node): boolean =>
  node.drain !== undefined || node.phase !== 'ready' || isOver(node)
