/**
 * Takes in what a node's agent reports of its replicas.
 *
 * Readiness gets reconcile's own stamp, so that soaking never compares clocks. A replica that was
 * told to stop leaves the assignment only once an agent that knows of the order has let go of it:
 * until then it may still be running, and its room is still taken. No report at all says nothing:
 * the stamps stand.
 */
import type { BoundReplica } from '../model/assignment.ts'
import type { ReportedReplica } from '../model/report.ts'
import type { Action } from './actions.ts'
import type { NodeFacts } from './facts.ts'

export function takeInReport(facts: NodeFacts, nowMs: number): readonly Action[] {
  const { node, report, assignment } = facts
  if (assignment === undefined || node.phase === 'terminating') return []
  if (report === undefined && !isLost(facts)) return []
  const reported = new Map((report?.replicas ?? []).map((own) => [own.id, own]))
  const actions: Action[] = [...takeInBoot(facts), ...liftGeneration(facts)]
  const gone: string[] = []
  for (const bound of assignment.replicas) {
    const own = reported.get(bound.id)
    if (bound.order === 'stop' && hasLetGo(facts, own)) gone.push(bound.id)
    else
      actions.push(...stampReadiness({ node: node.name, bound, own, lost: isLost(facts) }, nowMs))
  }
  if (gone.length > 0) {
    const reason = { code: 'Stopped', text: 'the agent has let go of it' }
    actions.push({ kind: 'forget', node: node.name, replicas: gone, reason })
  }
  return actions
}

function isLost({ node }: NodeFacts): boolean {
  return node.lostSinceMs !== undefined
}

/** The agent says that it is gone, or knows of the newest orders and does not have it at all. */
function hasLetGo({ report, assignment }: NodeFacts, own: ReportedReplica | undefined): boolean {
  if (own !== undefined) return own.phase === 'gone'
  return (report?.observedGeneration ?? 0) >= (assignment?.generation ?? Infinity)
}

type Seen = {
  readonly node: string
  readonly bound: BoundReplica
  readonly own: ReportedReplica | undefined
  readonly lost: boolean
}

function stampReadiness({ node, bound, own, lost }: Seen, nowMs: number): readonly Action[] {
  const ready = !lost && own?.ready === true && own.phase === 'ready'
  if (ready === (bound.readySinceMs !== undefined)) return []
  return [
    {
      kind: 'stamp',
      node,
      replica: bound.id,
      readySinceMs: ready ? nowMs : undefined,
      reason: ready
        ? { code: 'Ready', text: 'its probe succeeds' }
        : { code: 'Unready', text: 'it is no longer ready' },
    },
  ]
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

/** A machine that carries work has booted anew: its agent starts the replicas again. */
function takeInBoot({ node, report }: NodeFacts): readonly Action[] {
  if (report === undefined || !['ready', 'draining'].includes(node.phase)) return []
  const sameBoot = report.bootId === node.bootId
  const sameRuntimes = report.runtimes.join() === node.runtimes.join()
  if (sameBoot && sameRuntimes) return []
  const changes = { bootId: report.bootId, runtimes: [...report.runtimes] }
  const reason = { code: 'Rebooted', text: 'the machine has booted anew' }
  return [{ kind: 'note', node: node.name, changes, reason }]
}
