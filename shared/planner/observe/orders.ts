/**
 * Carries out what a person asked of a node, and takes it back when the order is withdrawn.
 */
import type { NodeOrder } from '../../model/facts.ts'
import type { DrainReason, Node } from '../../model/node.ts'
import type { Reason } from '../../model/status.ts'
import type { Action, NodeChanges } from '../actions.ts'
import type { NodeFacts } from '../facts.ts'
import { isSuspect } from '../findings.ts'
import { testOf } from './testing.ts'

const BY_ORDER: readonly DrainReason[] = ['OperatorDrain', 'Terminate', 'Retest']

const DRAINS: Readonly<Partial<Record<NodeOrder['verb'], DrainReason>>> = {
  drain: 'OperatorDrain',
  terminate: 'Terminate',
  retest: 'Retest',
}

type Verb = NodeOrder['verb']
type Carry = (facts: NodeFacts, order: NodeOrder, nowMs: number) => readonly Action[]

export function carryOutOrder(facts: NodeFacts, nowMs: number): readonly Action[] {
  const { node, order } = facts
  if (node.phase === 'terminating') return []
  if (order === undefined) return withdraw(facts)
  return [...endFormerOrder(facts, order), ...carry[order.verb](facts, order, nowMs)]
}

/** An order takes the place of the one before it, whose drain ends with it. */
function endFormerOrder({ node }: NodeFacts, order: NodeOrder): readonly Action[] {
  const because = node.drain?.reason
  const isFormer = because !== undefined && BY_ORDER.includes(because)
  if (!isFormer || DRAINS[order.verb] === because) return []
  const reason = { code: 'OrderReplaced', text: `a person now wants: ${order.verb}` }
  return [{ kind: 'undrain', node: node.name, reason }]
}

function withdraw({ node }: NodeFacts): readonly Action[] {
  const reason = { code: 'Uncordoned', text: 'a person took the order back' }
  const actions: Action[] = []
  if (node.cordoned) {
    actions.push({ kind: 'note', node: node.name, changes: { cordoned: false }, reason })
  }
  // A test may be due for what its agent has found, whoever asked for it first.
  const isStillDue = node.drain?.reason === 'Retest' && isSuspect(node)
  if (node.drain !== undefined && BY_ORDER.includes(node.drain.reason) && !isStillDue) {
    actions.push({ kind: 'undrain', node: node.name, reason })
  }
  return actions
}

const cordon: Carry = ({ node }) => {
  if (node.cordoned) return []
  const reason = { code: 'Cordoned', text: 'a person said so' }
  return [{ kind: 'note', node: node.name, changes: { cordoned: true }, reason }]
}

const drainAs =
  (because: DrainReason): Carry =>
  (facts, order, nowMs) => {
    const { node } = facts
    const actions = [...cordon(facts, order, nowMs)]
    const isForced = order.force && (node.drain?.deadlineMs ?? Infinity) > nowMs
    if (node.drain?.reason === 'Interrupted' || node.drain?.reason === 'Lost') return actions
    if (node.drain?.reason === because && !isForced) return actions
    const deadlineMs = order.force ? nowMs : nowMs + order.deadlineSeconds * 1000
    const reason = { code: because, text: 'a person said so' }
    return [...actions, { kind: 'drain', node: node.name, because, deadlineMs, reason }]
  }

/** What failed may be tested again, too: a person has looked at it, and may have mended it. */
const MAY_BE_TESTED: readonly Node['phase'][] = ['ready', 'draining', 'quarantined']

const retest: Carry = (facts, order, nowMs) => {
  const { node, assignment } = facts
  if (node.doneOrderAtMs === order.atMs) return []
  if (!MAY_BE_TESTED.includes(node.phase)) return []
  if ((assignment?.replicas.length ?? 0) > 0) return drainAs('Retest')(facts, order, nowMs)
  const reason = { code: 'Retest', text: 'a person said so' }
  return beginTest(facts, {
    nowMs,
    reason,
    changes: { doneOrderAtMs: order.atMs, cordoned: false },
  })
}

type Begin = { readonly nowMs: number; readonly reason: Reason; readonly changes?: NodeChanges }

/** An empty node's next test, and the end of the drain that emptied it for that. */
export function beginTest(facts: NodeFacts, { nowMs, reason, changes }: Begin): readonly Action[] {
  const { node } = facts
  const next = testOf(facts, { nowMs, tries: 1 })
  const test: Action = { ...next, changes: { ...next.changes, ...changes }, reason }
  return node.drain === undefined ? [test] : [{ kind: 'undrain', node: node.name, reason }, test]
}

const carry = {
  cordon,
  drain: drainAs('OperatorDrain'),
  terminate: drainAs('Terminate'),
  retest,
} satisfies Record<Verb, Carry>
