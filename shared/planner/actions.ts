/**
 * A plan as a value: frozen JSON, one `kind` an action, a reason in each.
 *
 * Actions say what to change in the words of the model; `fold.ts` turns them into items, and
 * reconcile alone turns those into writes and EC2 calls.
 */
import type { AssignedData, BoundReplica, ReplicaFailures } from '../model/assignment.ts'
import type { AskedCertificate, AskedCheck } from '../model/burn-in.ts'
import type { Brake, Shortage } from '../model/facts.ts'
import type { CapacityType, ListedInstance } from '../model/machine.ts'
import type { Noun } from '../model/names.ts'
import type { DrainReason, Node, NodePhase, Rung } from '../model/node.ts'
import type { Balanced } from '../model/service.ts'
import type { RepackRefusal } from '../model/proposal.ts'
import type { PoolStatus, Reason, TeamStatus, WorkloadStatus } from '../model/status.ts'
import type { Template } from '../model/version.ts'

/** Fields of a node item to set; one set to undefined is removed. */
export type NodeChanges = { readonly [K in keyof Node]?: Node[K] | undefined }

export type PlannedLaunch = {
  readonly id: string
  readonly pool: string
  readonly capacityType: CapacityType
  /** Places EC2 may choose from, cheapest first; each holds what is planned for a claim. */
  readonly candidates: readonly { instanceType: string; zone: string }[]
  /** The claims' node items, phase `launching`; interchangeable. */
  readonly claims: readonly Node[]
  /** Names of the workloads it is bought for. */
  readonly workloads: readonly string[]
}

export type Action =
  | { readonly kind: 'launch'; readonly launch: PlannedLaunch; readonly reason: Reason }
  /** The same request again: its answer was lost, or it was never sent. */
  | { readonly kind: 'replay'; readonly launchId: string; readonly reason: Reason }
  /** Instances found by their launch tag become the launch's claims. */
  | {
      readonly kind: 'deal'
      readonly launchId: string
      readonly instances: readonly ListedInstance[]
      readonly reason: Reason
    }
  | { readonly kind: 'give-up'; readonly launchId: string; readonly reason: Reason }
  /** A node enters another phase. */
  | {
      readonly kind: 'advance'
      readonly node: string
      readonly to: NodePhase
      readonly changes: NodeChanges
      readonly reason: Reason
    }
  /** A burn-in attempt begins; the node is `testing` until its verdict. */
  | {
      readonly kind: 'test'
      readonly node: string
      readonly attempt: number
      /** Which try of this test it is; three at most. */
      readonly tries: number
      /** Of the tries before, how often nobody could tell what the answer meant. */
      readonly unknowns: number
      /** What was done to mend it since this test began. */
      readonly mended: readonly Rung[]
      readonly suite: string
      readonly checks: readonly AskedCheck[]
      /** Where the suite is the short one: the certificate with which it is enough. */
      readonly certificate?: AskedCertificate
      readonly deadlineMs: number
      readonly changes: NodeChanges
      readonly reason: Reason
    }
  /** A machine that failed its burn-in boots anew; the same again where EC2 did not do it. */
  | {
      readonly kind: 'reboot'
      readonly node: string
      readonly burnIn: NonNullable<Node['burnIn']>
      readonly reason: Reason
    }
  /** Stamps and facts of a node; what it does stays the same. */
  | {
      readonly kind: 'note'
      readonly node: string
      readonly changes: NodeChanges
      readonly reason: Reason
    }
  | {
      readonly kind: 'bind'
      readonly node: string
      readonly replica: BoundReplica
      readonly template: Template
      readonly reason: Reason
    }
  | {
      readonly kind: 'stop'
      readonly node: string
      readonly replica: string
      readonly reason: Reason
    }
  /** Stopped replicas whose agent has let go of them leave the assignment. */
  | {
      readonly kind: 'forget'
      readonly node: string
      readonly replicas: readonly string[]
      readonly reason: Reason
    }
  /** A replica became ready, or ceased to be: the stamp is all that changes. */
  | {
      readonly kind: 'stamp'
      readonly node: string
      readonly replica: string
      readonly readySinceMs: number | undefined
      readonly reason: Reason
    }
  /** A replica's agent has its data: the stamp is all that changes. */
  | {
      readonly kind: 'fetched'
      readonly node: string
      readonly replica: string
      readonly reason: Reason
    }
  /** What a node's data must hold, and what it keeps. */
  | {
      readonly kind: 'data'
      readonly node: string
      readonly data: readonly AssignedData[]
      readonly reason: Reason
    }
  /** A replica is to stand behind its load balancer, to leave it, or has left it. */
  | {
      readonly kind: 'register'
      readonly node: string
      readonly replica: string
      readonly balanced: Balanced
      readonly reason: Reason
    }
  | {
      readonly kind: 'deregister'
      readonly node: string
      readonly replica: string
      readonly reason: Reason
    }
  | {
      readonly kind: 'release'
      readonly node: string
      readonly replica: string
      readonly reason: Reason
    }
  /** A replica failed, by what its agent says: the stamp is all that changes. */
  | {
      readonly kind: 'fail'
      readonly node: string
      readonly replica: string
      readonly failures: ReplicaFailures
      readonly reason: Reason
    }
  | {
      readonly kind: 'drain'
      readonly node: string
      readonly because: DrainReason
      readonly deadlineMs: number
      readonly reason: Reason
    }
  /**
   * Moves an assignment's generation past what its agent has seen (the table is a restored one).
   */
  | {
      readonly kind: 'lift'
      readonly node: string
      readonly generation: number
      readonly reason: Reason
    }
  | { readonly kind: 'undrain'; readonly node: string; readonly reason: Reason }
  /** From here there is no way back. On a node that is terminating already: asks EC2 again. */
  | { readonly kind: 'terminate'; readonly node: string; readonly reason: Reason }
  | { readonly kind: 'remove'; readonly node: string; readonly reason: Reason }
  | {
      readonly kind: 'adopt'
      readonly instance: ListedInstance
      readonly node: Node
      readonly reason: Reason
    }
  /** Ends instances that nobody claims. */
  | { readonly kind: 'sweep'; readonly instanceIds: readonly string[]; readonly reason: Reason }

export type ActionKind = Action['kind']

/** What people should hear of that is no action. */
export type Notice = { readonly object: string; readonly reason: Reason }

/** How many replicas of a workload found no place, and why. */
export type Refusal = {
  readonly workload: string
  readonly version: string
  readonly count: number
  readonly reasons: readonly Reason[]
  /** They are its team's by right, and could be had nowhere. */
  readonly isEntitled?: boolean
}

export type Plan = {
  /** The pass and the moment of the snapshot it was made from. */
  readonly epoch: number
  readonly nowMs: number
  readonly actions: readonly Action[]
  readonly unschedulable: readonly Refusal[]
  readonly workloadStatuses: readonly WorkloadStatus[]
  readonly poolStatuses: readonly PoolStatus[]
  readonly teamStatuses: readonly TeamStatus[]
  /** Statuses of what no longer exists. */
  readonly endedStatuses: readonly { noun: Noun; name: string }[]
  /** Places where a machine failed its burn-in. */
  readonly shortages: readonly Shortage[]
  /** Brake items that changed. */
  readonly brakes: readonly Brake[]
  readonly notices: readonly Notice[]
  /** Proposed or begun repacks that go no further in this pass. */
  readonly repackRefusals: readonly RepackRefusal[]
  /** Instances nobody claims, and when a sweep first saw them; undefined without a listing. */
  readonly suspects?: Readonly<Record<string, number>>
  /**
   * The first moment at which the plan would be another; undefined when only a change can do that.
   */
  readonly nextAtMs?: number
}
