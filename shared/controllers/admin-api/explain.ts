/**
 * Why each replica is where it is: from its order, its node, its report and the last plan's
 * reasons.
 *
 * Ages are computed here, when somebody asks, and never stored: a stored age would change every
 * pass.
 */
import type { BoundReplica } from '#shared/model/assignment.ts'
import type { RepackMark } from '#shared/model/repack.ts'
import type { Reason, WorkloadStatus } from '#shared/model/status.ts'
import type { ExplainAnswer } from '#shared/protocol/why-answers.ts'
import { isoOf, nodeConditions, replicaAnswer, type NodeView } from './answers.ts'

type Explained = ExplainAnswer['replicas'][number]

/** Every reason that holds, the most telling first; there is always one. */
export function explainBound(replica: BoundReplica, view: NodeView, nowMs: number): Explained {
  const { phase } = replicaAnswer(replica, view)
  const reasons = [
    ...stopReasons(replica),
    ...nodeReasons(view),
    ...exitReasons(replica, view, nowMs),
    phaseReason(replica, { phase, node: view.node.name, nowMs }),
  ]
  return { id: replica.id, node: view.node.name, phase, reasons }
}

/** Every reason that holds of the node itself; there is always one. */
export function explainNode({ node, order }: NodeView, nowMs: number): Reason[] {
  const reasons = nodeConditions(node).map(({ type, status, reason, text, sinceMs }) => ({
    code: type === 'Ready' || !status ? reason : type,
    text: `${text} (for ${ageOf(sinceMs, nowMs)})`,
  }))
  if (node.cordoned) reasons.push({ code: 'Cordoned', text: 'it takes no new replicas' })
  if (node.closed === true) {
    reasons.push({ code: 'Closed', text: 'it takes no new replicas while a problem lasts' })
  }
  if (order !== undefined) {
    const text = `somebody asked to ${order.verb} it ${ageOf(order.atMs, nowMs)} ago`
    reasons.push({ code: 'Ordered', text })
  }
  if (node.repack !== undefined) {
    const { side, reason, group } = node.repack
    reasons.push({ code: reason, text: `${REPACK_SIDES[side]} in repack ${group}` })
  }
  const { verdict, checks = [] } = node.burnIn ?? {}
  if (verdict !== undefined && verdict !== 'PASS') {
    const bad = checks.filter((own) => own.verdict !== 'PASS')
    const told = bad.map(({ name, verdict: found, text }) => `${name} ${found} ${text}`.trim())
    reasons.push({ code: 'BurnIn', text: [`its burn-in ended ${verdict}`, ...told].join('; ') })
  }
  return reasons
}

const REPACK_SIDES = {
  launch: 'it takes the place of others',
  retire: 'it is to be emptied',
  stay: 'it makes room for others',
  shift: 'it makes room for others',
} as const satisfies Record<RepackMark['side'], string>

function stopReasons({ stopReason }: BoundReplica): Reason[] {
  return stopReason === undefined ? [] : [stopReason]
}

function nodeReasons({ node }: NodeView): Reason[] {
  const reasons: Reason[] = []
  if (node.lostSinceMs !== undefined) {
    reasons.push({ code: 'NodeLost', text: `node ${node.name} is lost; a replacement is wanted` })
  } else if (node.silentSinceMs !== undefined) {
    reasons.push({ code: 'NodeSilent', text: `nothing is heard of node ${node.name}` })
  }
  if (node.drain !== undefined) {
    const text = `${node.drain.text}; it must be gone by ${isoOf(node.drain.deadlineMs)}`
    reasons.push({ code: node.drain.reason, text })
  }
  return reasons
}

function exitReasons(replica: BoundReplica, { report }: NodeView, nowMs: number): Reason[] {
  const seen = report?.replicas.find((own) => own.id === replica.id)
  if (seen?.lastExit === undefined) return []
  const { code, signal, reason, atMs } = seen.lastExit
  const how = signal === undefined ? `code ${String(code ?? 'unknown')}` : `signal ${signal}`
  const restarts = `${String(seen.restarts)} ${seen.restarts === 1 ? 'restart' : 'restarts'}`
  const text = `it last ended ${ageOf(atMs, nowMs)} ago with ${how}: ${reason} (${restarts})`
  return [{ code: 'Exited', text }]
}

function phaseReason(
  replica: BoundReplica,
  { phase, node, nowMs }: { phase: string; node: string; nowMs: number },
): Reason {
  const bound = `bound to ${node} ${ageOf(replica.assignedAtMs, nowMs)} ago`
  if (phase === 'assigned') {
    return { code: 'Assigned', text: `${bound}; its agent has not reported it yet` }
  }
  if (phase === 'ready') {
    const since = replica.readySinceMs
    const age = since === undefined ? '' : ` for ${ageOf(since, nowMs)}`
    return { code: 'Ready', text: `${bound}, ready${age}` }
  }
  const code = phase.charAt(0).toUpperCase() + phase.slice(1)
  return { code, text: `${bound}; its agent reports ${phase}` }
}

/** The waiting ones of a workload, each with the reasons of the last plan. */
export function explainWaiting(status: WorkloadStatus, nowMs: number): Explained[] {
  return waitingOf(status).map(({ id, group }) => {
    const since = ageOf(group.unschedulableSinceMs ?? group.sinceMs, nowMs)
    const phase = group.unschedulableSinceMs === undefined ? 'waiting' : 'unschedulable'
    const told =
      group.reasons.length > 0
        ? group.reasons
        : [{ code: 'Waiting', text: 'no reason is known yet' }]
    const reasons = told.map(({ code, text, atMs }) => ({
      code,
      text: atMs === undefined ? `${text} (${phase} for ${since})` : text + soonOf(atMs, nowMs),
    }))
    return { id, phase: 'waiting', reasons }
  })
}

/** ` in 12 min` */
function soonOf(atMs: number, nowMs: number): string {
  return atMs <= nowMs ? ' now' : ` in ${ageOf(nowMs, atMs)}`
}

type Waiting = { id: string; group: WorkloadStatus['waiting'][number] }

/**
 * A waiting replica has no item: it is the n-th of its workload's count, from 1, and its id is not
 * kept.
 */
export function waitingOf(status: WorkloadStatus): Waiting[] {
  const groups = status.waiting.flatMap((group) => Array.from({ length: group.count }, () => group))
  return groups.map((group, index) => ({
    id: `${status.name}/waiting-${String(index + 1)}`,
    group,
  }))
}

/** `12 s`, `5 min`, `3 h`, `2 d`: whole units of the largest that fits. */
export function ageOf(sinceMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000))
  if (seconds < 120) return `${String(seconds)} s`
  if (seconds < 7_200) return `${String(Math.floor(seconds / 60))} min`
  if (seconds < 172_800) return `${String(Math.floor(seconds / 3_600))} h`
  return `${String(Math.floor(seconds / 86_400))} d`
}
