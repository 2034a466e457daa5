/**
 * Turns decisions into items: the herd as it will stand once a plan's actions are carried out.
 *
 * Stages read a draft and return actions; folding those into the draft is what lets the next stage
 * see them. At the end the same draft holds the very items that reconcile writes, so what was
 * planned and what is stored cannot drift apart. A generation moves only when what an agent must do
 * has changed.
 */
import { must } from '../base/assert.ts'
import { sameJson } from '../base/equal.ts'
import { rememberedPair } from '../base/remembered.ts'
import {
  isServingOn,
  templateKey,
  type Assignment,
  type BoundReplica,
} from '../model/assignment.ts'
import type { Balanced } from '../model/service.ts'
import type { Node } from '../model/node.ts'
import type { Template } from '../model/version.ts'
import type { Action, ActionKind, NodeChanges } from './actions.ts'
import { dealInstances } from './provision/deal.ts'
import type { Snapshot } from './snapshot.ts'

/** Frozen, and its maps are never changed: a draft that changes is another draft. */
export type Draft = {
  readonly nodes: ReadonlyMap<string, Node>
  /** By node name; a node has one once its machine is known. */
  readonly assignments: ReadonlyMap<string, Assignment>
}

type Editable = {
  nowMs: number
  snapshot: Snapshot
  nodes: Map<string, Node>
  assignments: Map<string, Assignment>
}

/** The herd as the snapshot has it. */
export function draftOf({ nodes, assignments }: Pick<Snapshot, 'nodes' | 'assignments'>): Draft {
  return draftOfLists(nodes, assignments)
}

const draftOfLists = rememberedPair(
  (nodes: readonly Node[], assignments: readonly Assignment[]): Draft =>
    Object.freeze({
      nodes: new Map(nodes.map((node) => [node.name, node])),
      assignments: new Map(assignments.map((own) => [own.node, own])),
    }),
)

/** The draft after the actions, in their order: itself where there are none. */
export function fold(draft: Draft, actions: readonly Action[], snapshot: Snapshot): Draft {
  if (actions.length === 0) return draft
  const edit: Editable = {
    nowMs: snapshot.nowMs,
    snapshot,
    nodes: new Map(draft.nodes),
    assignments: new Map(draft.assignments),
  }
  for (const action of actions) applyOne(edit, action)
  const { nodes, assignments } = edit
  return Object.freeze({ nodes, assignments })
}

type Of<K extends ActionKind> = Extract<Action, { kind: K }>
type Folds = { [K in ActionKind]: (edit: Editable, action: Of<K>) => void }

function applyOne<K extends ActionKind>(edit: Editable, action: Of<K>): void {
  const one = folds[action.kind as K] as (edit: Editable, action: Of<K>) => void
  one(edit, action)
}

const folds = {
  launch: (edit, { launch }) => {
    for (const claim of launch.claims) edit.nodes.set(claim.name, claim)
  },
  replay: () => undefined,
  deal: (edit, { launchId, instances }) => {
    const launch = must(
      edit.snapshot.launches.find((own) => own.id === launchId),
      `launch ${launchId}`,
    )
    const dealt = dealInstances({ launch, instances, draft: edit, snapshot: edit.snapshot })
    for (const node of dealt.nodes) edit.nodes.set(node.name, node)
    for (const own of dealt.assignments) edit.assignments.set(own.node, own)
  },
  'give-up': (edit, { launchId }) => {
    const launch = edit.snapshot.launches.find((own) => own.id === launchId)
    for (const name of launch?.claims ?? []) {
      if (edit.nodes.get(name)?.phase === 'launching') edit.nodes.delete(name)
    }
  },
  advance: (edit, { node, to, changes }) => {
    changeNode(edit, node, { ...changes, phase: to, phaseSinceMs: edit.nowMs })
    // Once it is over nobody is to run it again, beside the work that is there by then.
    if (to === 'ready' && edit.assignments.get(node)?.burnIn !== undefined) {
      changeAssignment(edit, node, ({ burnIn: _, ...own }) => own)
    }
  },
  test: (edit, { node, attempt, suite, checks, certificate, ...action }) => {
    const own = must(edit.nodes.get(node), `node ${node}`)
    const { tries, unknowns, mended, deadlineMs } = action
    giveAssignment(edit, own)
    changeNode(edit, node, {
      ...action.changes,
      phase: 'testing',
      phaseSinceMs: own.phase === 'testing' ? own.phaseSinceMs : edit.nowMs,
      burnIn: {
        ...{ attempt, tries, unknowns, suite, mended: [...mended] },
        ...(certificate === undefined ? {} : { whole: certificate.suite }),
        ...(hasServed(own) ? { served: true } : {}),
        ...{ startedAtMs: edit.nowMs, deadlineMs, checks: [] },
      },
    })
    const asked = certificate === undefined ? {} : { certificate: { ...certificate } }
    changeAssignment(edit, node, (assignment) => ({
      ...assignment,
      burnIn: { attempt, suite, checks: [...checks], ...asked },
    }))
  },
  reboot: (edit, { node, burnIn }) => {
    changeNode(edit, node, { burnIn })
    // Its next boot waits for the next attempt, and does not begin the last one again.
    changeAssignment(edit, node, ({ burnIn: _, ...own }) => own)
  },
  note: (edit, { node, changes }) => {
    changeNode(edit, node, changes)
  },
  bind: (edit, { node, replica, template }) => {
    changeAssignment(edit, node, (own) => ({
      ...own,
      templates: { ...own.templates, [templateKey(replica)]: template },
      replicas: [...own.replicas, replica],
    }))
    changeNode(edit, node, { emptySinceMs: undefined })
  },
  stop: (edit, { node, replica, reason }) => {
    changeReplica(edit, { node, replica }, (own) =>
      own.order === 'stop'
        ? own
        : {
            ...leavingFrom(own, edit.nowMs),
            ...{ order: 'stop', stopAtMs: edit.nowMs, stopReason: { ...reason } },
          },
    )
  },
  fetched: (edit, { node, replica }) => {
    changeReplica(edit, { node, replica }, (own) => ({ ...own, fetchedAtMs: edit.nowMs }))
  },
  data: (edit, { node, data }) => {
    changeAssignment(edit, node, ({ data: _, ...own }) =>
      data.length === 0 ? own : { ...own, data: [...data] },
    )
  },
  register: (edit, { node, replica, balanced }) => {
    changeReplica(edit, { node, replica }, (own) => ({ ...own, balanced: { ...balanced } }))
  },
  deregister: (edit, { node, replica }) => {
    changeReplica(edit, { node, replica }, (own) => leavingFrom(own, edit.nowMs))
  },
  release: (edit, { node, replica }) => {
    changeReplica(edit, { node, replica }, ({ balanced: _, ...own }) => own)
  },
  forget: (edit, { node, replicas }) => {
    changeAssignment(edit, node, (own) =>
      withoutUnusedTemplates({
        ...own,
        replicas: own.replicas.filter((replica) => !replicas.includes(replica.id)),
      }),
    )
  },
  stamp: (edit, { node, replica, readySinceMs }) => {
    const unreadySinceMs = readySinceMs === undefined ? edit.nowMs : undefined
    changeReplica(edit, { node, replica }, ({ readySinceMs: _, balanced, ...own }) => ({
      ...own,
      ...(readySinceMs === undefined ? {} : { readySinceMs }),
      ...(balanced === undefined ? {} : { balanced: withUnready(balanced, unreadySinceMs) }),
    }))
  },
  fail: (edit, { node, replica, failures }) => {
    changeReplica(edit, { node, replica }, (own) => ({ ...own, failures }))
  },
  drain: (edit, { node, because, deadlineMs, reason }) => {
    const own = must(edit.nodes.get(node), `node ${node}`)
    changeNode(edit, node, {
      phase: own.phase === 'ready' ? 'draining' : own.phase,
      phaseSinceMs: own.phase === 'ready' ? edit.nowMs : own.phaseSinceMs,
      drain: {
        reason: because,
        text: reason.text,
        sinceMs: own.drain?.sinceMs ?? edit.nowMs,
        deadlineMs,
        generation: own.drain?.generation ?? 0,
      },
      reason: reason.text,
    })
    changeAssignment(edit, node, (assignment) => ({
      ...assignment,
      drain: { deadlineMs, reason: because },
    }))
  },
  lift: (edit, { node, generation }) => {
    changeAssignment(edit, node, (own) => ({ ...own, generation }))
  },
  undrain: (edit, { node }) => {
    const own = must(edit.nodes.get(node), `node ${node}`)
    changeNode(edit, node, {
      drain: undefined,
      reason: undefined,
      ...(own.phase === 'draining' ? { phase: 'ready', phaseSinceMs: edit.nowMs } : {}),
    })
    changeAssignment(edit, node, ({ drain: _drain, ...assignment }) => assignment)
  },
  terminate: (edit, { node, reason }) => {
    const own = must(edit.nodes.get(node), `node ${node}`)
    changeNode(edit, node, {
      phase: 'terminating',
      phaseSinceMs: own.phase === 'terminating' ? own.phaseSinceMs : edit.nowMs,
      terminating: {
        reason: own.terminating?.reason ?? reason.text,
        sinceMs: own.terminating?.sinceMs ?? edit.nowMs,
        lastTryMs: edit.nowMs,
      },
      reason: own.terminating?.reason ?? reason.text,
    })
  },
  remove: (edit, { node }) => {
    edit.nodes.delete(node)
    edit.assignments.delete(node)
  },
  adopt: (edit, { node }) => {
    edit.nodes.set(node.name, node)
  },
  sweep: () => undefined,
} satisfies Folds

function withUnready(
  { unreadySinceMs: _, ...own }: Balanced,
  unreadySinceMs: number | undefined,
): Balanced {
  return unreadySinceMs === undefined ? own : { ...own, unreadySinceMs }
}

/** From a load balancer, if it has one and is not leaving it already. */
function leavingFrom(own: BoundReplica, nowMs: number): BoundReplica {
  const { balanced } = own
  if (balanced === undefined || balanced.leavingSinceMs !== undefined) return own
  return { ...own, balanced: { ...balanced, leavingSinceMs: nowMs } }
}

const hasServed = ({ burnIn }: Node): boolean =>
  burnIn?.served === true || burnIn?.admittedAtMs !== undefined

/** An adopted machine gets its first assignment, newer than whatever its agent has seen before. */
function giveAssignment(edit: Editable, { name, machine }: Node): void {
  if (machine === undefined || edit.assignments.has(name)) return
  const report = edit.snapshot.reports.find((own) => own.arn === machine.arn)
  const generation = (report?.observedGeneration ?? 0) + 1
  edit.assignments.set(name, { ...emptyAssignment(name, machine.arn), generation })
}

/** The assignment of a node that nothing is bound to yet. */
export function emptyAssignment(node: string, arn: string): Assignment {
  return { kind: 'assignment', arn, node, generation: 1, templates: {}, replicas: [] }
}

function changeNode(edit: Editable, name: string, changes: NodeChanges): void {
  const node = must(edit.nodes.get(name), `node ${name}`)
  const entries = Object.entries({ ...node, ...changes }).filter(([, value]) => value !== undefined)
  edit.nodes.set(name, Object.fromEntries(entries) as Node)
}

function changeAssignment(
  edit: Editable,
  node: string,
  change: (own: Assignment) => Assignment,
): void {
  const own = edit.assignments.get(node)
  if (own !== undefined) edit.assignments.set(node, change(own))
}

function changeReplica(
  edit: Editable,
  { node, replica }: { node: string; replica: string },
  change: (own: BoundReplica) => BoundReplica,
): void {
  changeAssignment(edit, node, (assignment) => ({
    ...assignment,
    replicas: assignment.replicas.map((own) => (own.id === replica ? change(own) : own)),
  }))
}

function withoutUnusedTemplates(assignment: Assignment): Assignment {
  const used = new Set(assignment.replicas.map(templateKey))
  const templates: Record<string, Template> = {}
  for (const [key, template] of Object.entries(assignment.templates)) {
    if (used.has(key)) templates[key] = template
  }
  return { ...assignment, templates }
}

/** What an agent acts on; reconcile's own stamps are left out. */
function orders(assignment: Assignment): unknown {
  return {
    burnIn: assignment.burnIn,
    drain: assignment.drain,
    data: assignment.data,
    replicas: assignment.replicas.map((own) => [
      own.id,
      own.version,
      own.order,
      isServingOn(own),
      own.graceSeconds,
      own.gpus,
    ]),
  }
}

export type ItemChanges = {
  readonly nodes: readonly Node[]
  readonly assignments: readonly Assignment[]
  /** Nodes that are gone, with the ARN of their machine where there was one. */
  readonly removed: readonly { readonly node: Node }[]
}

/** The items that differ between two drafts, generations moved where an agent has new orders. */
export function changedItems(before: Draft, after: Draft): ItemChanges {
  const assignments: Assignment[] = []
  const nodes: Node[] = []
  for (const own of after.assignments.values()) {
    const old = before.assignments.get(own.node)
    if (old === own || (old !== undefined && sameJson(old, own))) continue
    const moved = old !== undefined && !sameJson(orders(old), orders(own))
    const generation = Math.max(own.generation, (old?.generation ?? 0) + (moved ? 1 : 0))
    assignments.push({ ...own, generation })
  }
  const byNode = new Map(assignments.map((own) => [own.node, own]))
  for (const own of after.nodes.values()) {
    const generation =
      byNode.get(own.name)?.generation ?? after.assignments.get(own.name)?.generation
    const drained =
      own.drain !== undefined && own.drain.generation === 0 && generation !== undefined
        ? { ...own, drain: { ...own.drain, generation } }
        : own
    const old = before.nodes.get(own.name)
    if (old !== drained && !(old !== undefined && sameJson(old, drained))) nodes.push(drained)
  }
  const removed = [...before.nodes.values()]
    .filter((own) => !after.nodes.has(own.name))
    .map((node) => ({ node }))
  return { nodes, assignments, removed }
}
