/**
 * What is known of one node, from everyone who states facts about it, laid side by side.
 */
import { remembered } from '../base/remembered.ts'
import type { Assignment } from '../model/assignment.ts'
import type { NodeOrder, Signal } from '../model/facts.ts'
import type { ListedInstance } from '../model/machine.ts'
import type { Machine, Node } from '../model/node.ts'
import type { Beat, Report } from '../model/report.ts'
import type { PoolItem, WorkloadItem } from '../model/spec-item.ts'
import type { WorkloadStatus } from '../model/status.ts'
import type { Verdict } from '../model/verdict.ts'
import type { Draft } from './fold.ts'
import type { Snapshot } from './snapshot.ts'

export type NodeFacts = {
  readonly node: Node
  readonly machine: Machine
  readonly pool: PoolItem | undefined
  readonly assignment: Assignment | undefined
  readonly report: Report | undefined
  readonly beat: Beat | undefined
  readonly signal: Signal | undefined
  readonly verdict: Verdict | undefined
  readonly order: NodeOrder | undefined
  readonly listed: ListedInstance | undefined
}

/** The facts of every node that has a machine, in order of name. */
export type FactsOf = (draft: Draft) => readonly NodeFacts[]

/**
 * The facts of one draft after the other. What the snapshot states is indexed once, and as long as
 * nothing is decided the draft stays the same, and so do its facts.
 */
export function openFacts(snapshot: Snapshot): FactsOf {
  const reports = reportsByArn(snapshot.reports)
  const beats = beatsByArn(snapshot.beats)
  const signals = signalsById(snapshot.signals)
  const verdicts = verdictsByNode(snapshot.verdicts)
  const pools = poolsByName(snapshot.pools)
  const listed = new Map(snapshot.listing?.items.map((own) => [own.instanceId, own]))
  const orders = new Map<string, NodeOrder>()
  for (const order of snapshot.orders) if (order.target === 'node') orders.set(order.name, order)
  return remembered((draft) =>
    [...draft.nodes.values()].flatMap((node) => {
      const { machine } = node
      if (machine === undefined) return []
      return {
        node,
        machine,
        pool: pools.get(node.pool),
        assignment: draft.assignments.get(node.name),
        report: reports.get(machine.arn),
        beat: beats.get(machine.arn),
        signal: signals.get(machine.instanceId),
        verdict: verdicts.get(node.name),
        order: orders.get(node.name),
        listed: listed.get(machine.instanceId),
      }
    }),
  )
}

/** The values of a list by a key of theirs, the last one where several share it. */
function indexed<T>(key: (value: T) => string): (list: readonly T[]) => ReadonlyMap<string, T> {
  return remembered((list) => new Map(list.map((own) => [key(own), own])))
}

export const reportsByArn = indexed<Report>((own) => own.arn)
export const beatsByArn = indexed<Beat>((own) => own.arn)
const signalsById = indexed<Signal>((own) => own.instanceId)
const verdictsByNode = indexed<Verdict>((own) => own.node)
export const poolsByName = indexed<PoolItem>((own) => own.name)
export const workloadsByUid = indexed<WorkloadItem>((own) => own.uid)
export const statusesByUid = indexed<WorkloadStatus>((own) => own.uid)
