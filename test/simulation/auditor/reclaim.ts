/**
 * Who gives way to whom: nobody within its team's quota for another team, nobody who may not be
 * preempted; firm work stays within its quota; and no borrower keeps what somebody entitled needs.
 *
 * Sums are those of the pass's own scan. Where several readings of a quota are fair, only what
 * breaks all of them is told. Who is kept from what is `entitled.ts`.
 */
import type { BoundReplica } from '#shared/model/assignment.ts'
import type { Node } from '#shared/model/node.ts'
import { countOf } from '#shared/model/quantities.ts'
import type { Caller } from '../traffic.ts'
import { desiredOf, runningIn } from './available.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { keptFromEntitled, viewNow, viewOf } from './entitled.ts'
import { versionWanted } from './items.ts'
import { needOf, plus, ZERO } from './needs.ts'
import type { OpenPass } from './passes.ts'
import { isBeyond, quotasOf, times } from './quotas.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan } from './scan.ts'

const RULE = '7 quota'
const GIVES_WAY: ReadonlySet<string> = new Set(['Reclaimed', 'Preempted'])

/** What a pass has bound and sent away so far. */
type Deeds = {
  readonly bound: BoundReplica[]
  readonly reclaimed: BoundReplica[]
  /** All that it has sent away for others. */
  givenWay: number
}

export function makeReclaim(knowledge: Knowledge): Rule {
  const { passes } = knowledge
  const deeds = new Map<string, Deeds>()
  const patience = makePatience()
  const most = new Map<string, number>()
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
        const judged = { pass, scan: pass.scan, done, most }
        return firstOf(changes.filter(isBody), (change) => {
          const { added, stopped } = bodyChange(change)
          const wrong = [
            ...stopped.map((bound) => wrongVictim(bound, judged)),
            ...added.map((bound) => wrongBinding(bound, judged)),
          ].find((text) => text !== undefined)
          return wrong === undefined ? undefined : { rule: RULE, text: `${by.label}: ${wrong}` }
        })
      },
      over: ({ by, how }): Breach | undefined => {
        const scan = passes.of(by)?.scan
        const done = deeds.get(by.label)
        deeds.delete(by.label)
        if (scan === undefined || scan.teams().length === 0) return undefined
        for (const { uid } of scan.workloads()) {
          const count = scan.replicasOf(uid).filter((own) => own.bound.order === 'run').length
          most.set(uid, Math.max(most.get(uid) ?? 0, count))
        }
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
  /** By uid: how many of a workload ran at most, as any pass before this one saw it. */
  readonly most: ReadonlyMap<string, number>
}

function wrongVictim(bound: BoundReplica, { scan, done }: Judged): string | undefined {
  const code = bound.stopReason?.code ?? ''
  if (!GIVES_WAY.has(code)) return undefined
  done.givenWay += 1
  const workload = scan.workload(bound.workload)
  if (workload?.uid !== bound.uid) return undefined
  if (!workload.spec.preemptible) return `${bound.id} was ${code}, and it may not be preempted`
  if (code !== 'Reclaimed') return undefined
  done.reclaimed.push(bound)
  const { team } = workload.spec
  const gone = new Set(done.reclaimed.map((own) => own.id))
  gone.delete(bound.id)
  const before = scan
    .workloads()
    .filter((own) => own.spec.team === team)
    .reduce((sum, own) => {
      // Nodes that the pass itself found to be lost or over still counted when it read them.
      const kept = scan
        .replicasOf(own.uid)
        .filter(
          ({ bound: { id, order }, node }) => order === 'run' && !isOver(node) && !gone.has(id),
        )
      return plus(sum, times(needOf(own.spec), kept.length))
    }, ZERO)
  const guarantee = quotasOf(scan.teams(), []).guaranteeOf(team)
  if (isBeyond(before, guarantee)) return undefined
  const used = `cpu ${String(before.cpuMilli)} of ${String(guarantee.cpuMilli)} milli`
  return `${bound.id} was reclaimed, and its team ${team ?? '(none)'} is within its quota (${used})`
}

/**
 * Work that may not be preempted runs within its team's quota. Only plain growth is judged: a
 * roll-out, what moves and an on-demand base that is restored may have more for a while. Where the
 * quota was lowered below what ran, as many may run again.
 */
function wrongBinding(bound: BoundReplica, { pass, scan, done, most }: Judged): string | undefined {
  done.bound.push(bound)
  const workload = scan.workload(bound.workload)
  if (workload?.uid !== bound.uid || workload.spec.preemptible) return undefined
  if (workload.spec.capacity.onDemandBase > 0) return undefined
  const { team } = workload.spec
  const own = runningIn(scan, pass, bound.uid)
  const isPlain = own.every(
    ({ bound: { version }, node }) =>
      version === versionWanted(workload) && !isLeaving(pass.written.get(node.name) ?? node),
  )
  if (!isPlain) return undefined
  const firm = scan.workloads().filter((one) => one.spec.team === team && !one.spec.preemptible)
  let [used, allowance, had] = [ZERO, ZERO, ZERO]
  for (const one of firm) {
    had = plus(had, times(needOf(one.spec), Math.min(desiredOf(one), most.get(one.uid) ?? 0)))
    const bindings = done.bound.filter(({ uid }) => uid === one.uid).length
    const count = Math.min(desiredOf(one), runningIn(scan, pass, one.uid).length + bindings)
    used = plus(used, times(needOf(one.spec), count))
    const { maxSurge } = one.spec.rollout
    const surge = countOf(maxSurge, { total: desiredOf(one), round: 'up' })
    allowance = plus(allowance, times(needOf(one.spec), surge + 1))
  }
  const guarantee = quotasOf(scan.teams(), []).guaranteeOf(team)
  if (!isBeyond(used, plus(guarantee, allowance))) return undefined
  if (!isBeyond(used, plus(had, allowance))) return undefined
  return `${bound.id} was bound, and team ${team ?? '(none)'} has more firm work than its quota`
}

const isOver = ({ phase, lostSinceMs }: Node): boolean =>
  phase === 'terminating' || lostSinceMs !== undefined

const isLeaving = (node: Node): boolean =>
  node.drain !== undefined || node.phase !== 'ready' || isOver(node)
