/**
 * Takes in what agents find while they watch, and does about it what the policy says.
 *
 * A finding is an agent's word, and may harm nobody but its own node. What passes by itself closes
 * the node while it lasts. What a test can tell has it emptied within the ledger and tested again,
 * once: found sound, it goes on with the finding shown; a finding that comes back after that is
 * believed, and the node replaced. A node that a person has given an order about is the person's.
 *
 * It is bounded twice. Few nodes may be given up or tested in any ten minutes, and few be out at a
 * time; and what many nodes of a pool have at once is a driver's fault or an image's, of which no
 * other machine would be free: one at a time is tested for it, none replaced, and the brake shows.
 */
import { sameJson } from '../../base/equal.ts'
import { groupBy } from '../../base/order.ts'
import {
  isProblem,
  type HealthFinding,
  type NodeFinding,
  type Response,
} from '../../model/health.ts'
import { LIMITS } from '../../model/limits.ts'
import type { DrainReason, Node } from '../../model/node.ts'
import type { Reason } from '../../model/status.ts'
import type { Action } from '../actions.ts'
import { UNHEALTHY } from '../brake.ts'
import type { NodeFacts } from '../facts.ts'
import type { ObserveContext } from './context.ts'
import { askedBy, findingsOf, forgottenAtMs, isCleared, severityOf } from '../findings.ts'
import { beginTest } from './orders.ts'
import { BEATING } from './silence.ts'

/** What the agent tells that the node does not say yet. */
export function takeInHealth({ node, report }: NodeFacts, nowMs: number): readonly Action[] {
  if (report === undefined || !BEATING.includes(node.phase)) return []
  if (node.health === undefined && report.health === undefined) return []
  const known = findingsOf(node)
  const { bootId } = report
  const { health, news } = merge({ node, told: report.health ?? [], bootId, nowMs })
  if (sameJson(health, known)) return []
  const changes = { health: health.length === 0 ? undefined : health }
  const reasons = news.length > 0 ? news : [NOT_NEWS]
  return reasons.map((reason) => ({ kind: 'note', node: node.name, changes, reason }))
}

/** It is counted anew, or what is over is forgotten. */
const NOT_NEWS: Reason = { code: 'Noted', text: 'its agent tells nothing new' }

type Told = {
  readonly node: Node
  readonly told: readonly HealthFinding[]
  readonly bootId: string
  readonly nowMs: number
}

function merge({ node, told, bootId, nowMs }: Told): { health: NodeFinding[]; news: Reason[] } {
  const news: Reason[] = []
  const known = new Map(findingsOf(node).map((own) => [own.reason, own]))
  const byReason = new Map(told.map((own) => [own.reason, own]))
  const there = [...byReason.values()].map((own): NodeFinding => {
    const old = known.get(own.reason)
    const isNew =
      old === undefined ||
      old.goneSinceMs !== undefined ||
      own.times > old.times ||
      // Times are counted anew in each boot, so whatever is told in another has come up again.
      (old.bootId ?? bootId) !== bootId
    if (!isNew) return { ...old, ...own, bootId }
    const isBack = old !== undefined && forgottenAtMs(old) > nowMs && hasCome(old, node)
    const text = isBack ? `${own.text}, again after a test that found nothing` : own.text
    news.push(isProblem(own.reason) ? { code: own.reason, text } : unknown(own.reason, text))
    return { ...own, bootId, sinceMs: nowMs, ...(isBack ? { isBack } : {}) }
  })
  const gone = [...known.values()]
    .filter((own) => !byReason.has(own.reason) && forgottenAtMs(own) > nowMs)
    .map((own) => ({ ...own, goneSinceMs: own.goneSinceMs ?? nowMs }))
  for (const { reason, goneSinceMs } of gone) {
    if (goneSinceMs === nowMs) news.push({ code: 'HealthMended', text: `${reason} is over` })
  }
  return { health: [...there, ...gone].slice(0, 2 * LIMITS.healthFindingsMax), news }
}

/** An agent's words are no event of drover's own, be they newer than this or made up. */
const unknown = (reason: string, text: string): Reason => ({
  code: 'UnknownProblem',
  text: `${reason}: ${text}`,
})

/** A test has cleared it once, so that its coming back says more than its coming. */
const hasCome = (old: NodeFinding, node: Node): boolean =>
  isCleared(old, node) || old.isBack === true

type Asked = { readonly finding: NodeFinding; readonly response: Response }

/** Closes and opens nodes, and empties and tests those that must be. */
export function respond(
  all: readonly NodeFacts[],
  { snapshot, brakes }: ObserveContext,
): readonly Action[] {
  const found = all.filter(
    ({ node }) =>
      BEATING.includes(node.phase) && (node.health !== undefined || node.closed === true),
  )
  if (found.length === 0) return []
  const sizes = new Map([...groupBy(all, poolOf)].map(([pool, own]) => [pool, own.length]))
  const common = commonOf(found, sizes)
  return [...groupBy(found, poolOf)].flatMap(([pool, own]) => {
    let room = mostOf(sizes.get(pool) ?? 0) - own.filter(isOut).length
    const mayGo = (node: Node): boolean => {
      if (room <= 0 || !brakes.condemn(node, UNHEALTHY)) return false
      room -= 1
      return true
    }
    const isShared = ({ finding }: Asked): boolean =>
      isCommon(finding, common.has(`${pool}/${finding.reason}`))
    // One at a time is tested all the same: that tells a bad driver from bad machines.
    const mayBeTried = (one: Asked): boolean => one.response === 'retest' && isShared(one)
    const turn = own.some(isOut)
      ? undefined
      : own.find((facts) => isFree(facts) && asksOf(facts).some(mayBeTried))
    return own.flatMap((facts) => {
      const all = asksOf(facts)
      const hasTurn = (one: Asked): boolean => facts === turn && mayBeTried(one)
      const held = all.filter((one) => isShared(one) && !hasTurn(one) && brakes.hold(pool))
      const asked = all.filter((one) => !held.includes(one))
      const begun = begin(facts, asked, { nowMs: snapshot.nowMs, mayGo })
      const rest = begun.length > 0 ? begun : closeOrOpen(facts, asked)
      return [...markHeld(facts, held), ...rest]
    })
  })
}

const isCommon = (finding: NodeFinding, isNow: boolean): boolean =>
  finding.isCommon === true || isNow

/** It stays so when some of those that had it are gone: what is left would look like their own. */
function markHeld({ node }: NodeFacts, held: readonly Asked[]): readonly Action[] {
  const fresh = held.map(({ finding }) => finding).filter((own) => own.isCommon !== true)
  if (fresh.length === 0) return []
  const health = findingsOf(node).map((own) =>
    fresh.includes(own) ? { ...own, isCommon: true } : own,
  )
  const text = `${fresh.map((own) => own.reason).join(', ')}: too many nodes have it at once`
  const reason = { code: 'HealthHeld', text }
  return [{ kind: 'note', node: node.name, changes: { health }, reason }]
}

const poolOf = ({ node }: NodeFacts): string => node.pool

const mostOf = (size: number): number => Math.max(1, Math.floor(LIMITS.brakeShare * size))

/** Those of its findings that ask for something, the worst first. */
function asksOf({ node }: NodeFacts): readonly Asked[] {
  return findingsOf(node)
    .map((finding) => ({ finding, response: askedBy(finding, node) }))
    .filter(({ response }) => response !== 'observe')
    .sort((a, b) => severityOf(b.response) - severityOf(a.response))
}

/** `<pool>/<reason>` of what so many nodes have that it is not the machines. */
function commonOf(
  found: readonly NodeFacts[],
  sizes: ReadonlyMap<string, number>,
): ReadonlySet<string> {
  const named = found.flatMap((own) =>
    asksOf(own).map(({ finding }) => ({ pool: own.node.pool, reason: finding.reason })),
  )
  const groups = groupBy(named, ({ pool, reason }) => `${pool}/${reason}`)
  const most = ([first]: typeof named): number =>
    Math.max(LIMITS.healthCommonLeast - 1, mostOf(sizes.get(first?.pool ?? '') ?? 0))
  return new Set([...groups].flatMap(([key, own]) => (own.length > most(own) ? [key] : [])))
}

const HEALTH_DRAINS: readonly (DrainReason | undefined)[] = ['Retest', 'Impaired']

/** On its way to a test or to its end, and missed meanwhile. */
function isOut(facts: NodeFacts): boolean {
  const { node } = facts
  const isGoing = node.phase === 'testing' || HEALTH_DRAINS.includes(node.drain?.reason)
  return isGoing && asksOf(facts).length > 0
}

type Begin = { readonly nowMs: number; readonly mayGo: (node: Node) => boolean }

/** A drain or a test that is due now. */
function begin(
  facts: NodeFacts,
  [worst]: readonly Asked[],
  { nowMs, mayGo }: Begin,
): readonly Action[] {
  const { node, assignment } = facts
  if (assignment === undefined || !isFree(facts)) return []
  // Nobody knows what to ask of the machines of a pool that cannot be read.
  if (facts.pool === undefined) return []
  const isEmpty = assignment.replicas.length === 0
  if (node.phase === 'draining' && node.drain?.reason === 'Retest') {
    // Though what it was drained for may be gone meanwhile: only a test can tell.
    const reason = { code: 'Retest', text: node.drain.text }
    return isEmpty ? beginTest(facts, { nowMs, reason }) : []
  }
  if (worst === undefined || worst.response === 'cordon') return []
  if (node.phase !== 'ready' || node.drain !== undefined || !mayGo(node)) return []
  const because = worst.response === 'retest' ? 'Retest' : 'Impaired'
  const reason = { code: because, text: `${worst.finding.reason}: ${worst.finding.text}` }
  if (because === 'Retest' && isEmpty) return beginTest(facts, { nowMs, reason })
  const deadlineMs = nowMs + LIMITS.drainDefaultMs
  return [{ kind: 'drain', node: node.name, because, deadlineMs, reason }]
}

/** A retest that a person asked for is done once the test has begun, and the order still stands. */
const isOrdered = ({ node, order }: NodeFacts): boolean =>
  order !== undefined && order.atMs !== node.doneOrderAtMs

const isUnheard = (node: Node): boolean =>
  node.silentSinceMs !== undefined || node.lostSinceMs !== undefined

/** No person decides about it, and its agent can be told something. */
const isFree = (facts: NodeFacts): boolean => !isOrdered(facts) && !isUnheard(facts.node)

/** A node that waits for its turn takes nothing new, nor does one whose trouble will pass. */
function closeOrOpen({ node }: NodeFacts, asked: readonly Asked[]): readonly Action[] {
  if (node.drain !== undefined) return []
  // What a test can tell is about to be told.
  const worst = asked.find(({ response }) => node.phase === 'ready' || response !== 'retest')
  if ((worst !== undefined) === (node.closed === true)) return []
  const reason =
    worst === undefined
      ? { code: 'Opened', text: 'it takes new replicas again' }
      : { code: 'Closed', text: `it takes no new replicas: ${worst.finding.reason}` }
  const changes = { closed: worst === undefined ? undefined : true }
  return [{ kind: 'note', node: node.name, changes, reason }]
}
