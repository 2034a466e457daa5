/**
 * Takes in what a node's agent reports of its replicas.
 *
 * Readiness gets reconcile's own stamp, so that soaking never compares clocks. A replica that was
 * told to stop leaves the assignment only once an agent that knows of the order has let go of it:
 * until then it may still be running, and its room is still taken. No report at all says nothing:
 * the stamps stand, but for what a load balancer tells.
 */
import { sameJson } from '../../base/equal.ts'
import { rememberedPair } from '../../base/remembered.ts'
import { isFetching, type Assignment, type BoundReplica } from '../../model/assignment.ts'
import type { Report, ReportedReplica } from '../../model/report.ts'
import type { Action } from '../actions.ts'
import type { NodeFacts } from '../facts.ts'
import { hasServices, type Serving, type ServingOf } from '../service.ts'

export function takeInReport(
  facts: NodeFacts,
  servingOf: ServingOf,
  nowMs: number,
): readonly Action[] {
  const { node, report, assignment } = facts
  if (assignment === undefined || node.phase === 'terminating') return []
  const isLost = node.lostSinceMs !== undefined
  const isBalanced = hasServices(assignment)
  const on = { node, assignment }
  if (report === undefined && !isLost && !isBalanced) return []
  const { turned, gone, fetched } =
    report === undefined || isLost || isBalanced
      ? newsOf({ assignment, report, isLost, servingOf: (own) => servingOf(own, on) })
      : newsIn(assignment, report)
  const stamps = turned.map(({ id, ready }) => stamp(node.name, id, ready ? nowMs : undefined))
  const whole = fetched.map((replica): Action => {
    const reason = { code: 'Fetched', text: 'its data is there' }
    return { kind: 'fetched', node: node.name, replica, reason }
  })
  const actions: Action[] = [...takeInBoot(facts), ...liftGeneration(facts), ...whole, ...stamps]
  if (gone.length > 0) {
    const reason = { code: 'Stopped', text: 'the agent has let go of it' }
    actions.push({ kind: 'forget', node: node.name, replicas: gone, reason })
  }
  return actions
}

/** What a report says of the replicas of an assignment that the assignment does not say yet. */
type News = {
  readonly turned: readonly { readonly id: string; readonly ready: boolean }[]
  readonly gone: readonly string[]
  /** Those whose data is there by now. */
  readonly fetched: readonly string[]
}

type Told = {
  readonly assignment: Assignment
  readonly report: Report | undefined
  readonly isLost: boolean
  /** Undefined of those without a service; absent: none has one. */
  readonly servingOf?: (bound: BoundReplica) => Serving | undefined
}

function newsOf(told: Told): News {
  const { assignment, report, isLost } = told
  const reported = new Map(report?.replicas.map((own) => [own.id, own]))
  const turned: News['turned'][number][] = []
  const gone: string[] = []
  const fetched: string[] = []
  for (const bound of assignment.replicas) {
    const { id, order, readySinceMs, balanced } = bound
    const own = reported.get(id)
    const isUp = !isLost && isCalledReady(bound, own, report)
    if (isFetching(bound) && hasData(bound, own, report)) fetched.push(id)
    const ready = isUp && serves(bound, told.servingOf?.(bound))
    // What has ended by itself leaves its load balancer all the same, and is forgotten after that.
    const hasLeft = order === 'stop' && balanced === undefined
    if (hasLeft && hasLetGo(told, own)) gone.push(id)
    else if (ready !== (readySinceMs !== undefined)) turned.push({ id, ready })
  }
  return { turned, gone, fetched }
}

/** By its agent; as it was, while that cannot be heard. */
function isCalledReady(
  { readySinceMs }: BoundReplica,
  own: ReportedReplica | undefined,
  report: Report | undefined,
): boolean {
  if (report === undefined) return readySinceMs !== undefined
  return own?.ready === true && own.phase === 'ready'
}

/** Its process runs, or ended before anybody saw it run: it is started with its data whole. */
function hasData(
  { dataKey }: BoundReplica,
  own: ReportedReplica | undefined,
  report: Report | undefined,
): boolean {
  if (own?.phase !== 'failed') {
    return own !== undefined && ['starting', 'running', 'ready'].includes(own.phase)
  }
  return report?.data?.find(({ key }) => key === dataKey)?.state === 'whole'
}

/** While nobody can tell, what was so stands. */
function serves({ readySinceMs }: BoundReplica, serving: Serving | undefined): boolean {
  if (serving === undefined || serving === 'yes') return true
  return serving === 'unknown' && readySinceMs !== undefined
}

const newsIn = rememberedPair((assignment: Assignment, report: Report) =>
  newsOf({ assignment, report, isLost: false }),
)

/** The agent says that it is gone, or knows of the newest orders and does not have it at all. */
function hasLetGo({ report, assignment }: Told, own: ReportedReplica | undefined): boolean {
  if (own !== undefined) return own.phase === 'gone'
  return (report?.observedGeneration ?? 0) >= assignment.generation
}

function stamp(node: string, replica: string, readySinceMs: number | undefined): Action {
  const reason =
    readySinceMs === undefined
      ? { code: 'Unready', text: 'it is no longer ready' }
      : { code: 'Ready', text: 'its probe succeeds' }
  return { kind: 'stamp', node, replica, readySinceMs, reason }
}

/**
 * An agent never goes back to an older generation. One that has seen a newer one than the table
 * holds was told by the table this one was restored from.
 */
function liftGeneration({ node, report, assignment }: NodeFacts): readonly Action[] {
  const seen = report?.observedGeneration ?? 0
  if (assignment === undefined || seen <= assignment.generation || seen > GENERATION_MAX) return []
  const reason = { code: 'Restored', text: 'its agent has seen newer orders than the table holds' }
  return [{ kind: 'lift', node: node.name, generation: seen + 1, reason }]
}

/** Reports are untrusted: far beyond any herd's age, and far below what a number can hold. */
const GENERATION_MAX = 1_000_000_000

/**
 * A machine that carries work has booted anew: its agent starts the replicas again. Or a container
 * engine has come, or gone.
 */
function takeInBoot({ node, report }: NodeFacts): readonly Action[] {
  if (report === undefined || !['ready', 'draining'].includes(node.phase)) return []
  const sameBoot = report.bootId === node.bootId
  const sameRuntimes = sameJson(report.runtimes, node.runtimes)
  if (sameBoot && sameRuntimes) return []
  const changes = { bootId: report.bootId, runtimes: [...report.runtimes] }
  const reason = sameBoot
    ? { code: 'Noted', text: 'it can run replicas in something else than before' }
    : { code: 'Rebooted', text: 'the machine has booted anew' }
  return [{ kind: 'note', node: node.name, changes, reason }]
}
