/**
 * What an observer outside drover can see of a simulated world: the traffic at the ports, and the
 * world's own truth.
 *
 * The auditor judges by this alone. It is told of an act once the act has taken effect, in the
 * order in which acts took effect, before anything else happens.
 */
import type { Target, TargetHealth } from '#shared/model/service.ts'
import type { Fleet, Instance, LaunchOutcome } from '#shared/cloud/fleet.ts'
import type { Ec2Instance, Place } from '#shared/cloud/memory-ec2/types.ts'
import type { DroverEvent } from '#shared/model/event.ts'
import type { LaunchRequest } from '#shared/model/launch.ts'
import type { QuotaPolicyName } from '#shared/model/quota-policy.ts'
import type { Template } from '#shared/model/version.ts'
import type { GpuShare } from '#shared/model/assignment.ts'
import type { Change, Item, Key, Write } from '#shared/store/store.ts'
import type { RuleName } from './auditor/rules.ts'

export type Role =
  | 'reconcile'
  | 'wake'
  | 'burn-in'
  | 'interruption'
  | 'market'
  | 'autoscale'
  | 'repack'
  | 'admin-api'
  | 'agent'

/** One invocation of a function, or one run of an agent. */
export type Caller = {
  /** `reconcile#12`, `agent#3`: never the same twice in a world. */
  readonly label: string
  readonly role: Role
  /** By the world's clock. */
  readonly startedAtMs: number
  /** The machine an agent runs on. */
  readonly instanceId?: string
}

export type Seen = { readonly atMs: number } & (
  | { readonly kind: 'begun'; readonly by: Caller }
  /** `crashed`: dropped in the middle; nothing of it ever runs again. */
  | { readonly kind: 'over'; readonly by: Caller; readonly how: 'ended' | 'threw' | 'crashed' }
  /** The whole main table as the caller got it. */
  | { readonly kind: 'scan'; readonly by: Caller; readonly items: readonly Item[] }
  /**
   * A write of the main table that was applied: the writes as they were sent (an update comes as
   * the put it amounts to), and what changed. A replay of a transaction's token is not told again.
   */
  | {
      readonly kind: 'write'
      readonly by: Caller
      readonly writes: readonly Write[]
      readonly changes: readonly Change[]
    }
  /** A CreateFleet reached EC2; `outcome` is what the caller will hear, if it hears anything. */
  | {
      readonly kind: 'launch'
      readonly by: Caller
      readonly request: LaunchRequest
      readonly outcome: LaunchOutcome
      /** Instances that this very call brought to life: none for a replay of its token. */
      readonly born: readonly string[]
    }
  | { readonly kind: 'terminate'; readonly by: Caller; readonly instanceIds: readonly string[] }
  | { readonly kind: 'reboot'; readonly by: Caller; readonly instanceIds: readonly string[] }
  | { readonly kind: 'list'; readonly by: Caller; readonly instances: readonly Instance[] }
  | {
      readonly kind: 'impaired'
      readonly by: Caller
      readonly instanceIds: Awaited<ReturnType<Fleet['impaired']>>
    }
  /** A load balancer is told who comes or goes. */
  | {
      readonly kind: 'balance'
      readonly by: Caller
      readonly what: 'register' | 'deregister'
      readonly targetGroupArn: string
      readonly targets: readonly Target[]
    }
  /** What a load balancer's listing said to its caller. */
  | {
      readonly kind: 'targets'
      readonly by: Caller
      readonly targetGroupArn: string
      readonly targets: readonly TargetHealth[]
    }
  /** What drover says it did, with its reasons. */
  | { readonly kind: 'decided'; readonly by: Caller; readonly events: readonly DroverEvent[] }
  /** The world: a process of a replica was started, told to stop, or is over. */
  | {
      readonly kind: 'process'
      readonly instanceId: string
      readonly replicaId: string
      readonly what: 'started' | 'told to stop' | 'over'
    }
)

export type SeenOf<K extends Seen['kind']> = Extract<Seen, { kind: K }>

/** A process that runs right now. */
export type TrueProcess = {
  readonly replicaId: string
  readonly workload: string
  readonly version: string
  readonly template: Template
  readonly gpus: readonly GpuShare[]
  /** By name: where it listens. */
  readonly ports: Readonly<Record<string, number>>
  /** Of the data that lay there when it was started; absent where there was none. */
  readonly digest?: string
  readonly startedAtMs: number
  /** It would answer its health check. */
  readonly healthy: boolean
  /** It has got SIGTERM. */
  readonly stopping: boolean
}

export type TrueTarget = TargetHealth & { readonly targetGroupArn: string }

/** The world as it is, whatever anybody believes. */
export type Truth = {
  readonly nowMs: () => number
  /** Items of the main table as they stand. */
  readonly get: (key: Key) => Item | undefined
  readonly partition: (pk: string) => readonly Item[]
  readonly items: () => readonly Item[]
  /** Every instance EC2 remembers, in order of birth; the terminated too, for an hour. */
  readonly instances: () => readonly Ec2Instance[]
  readonly instance: (instanceId: string) => Ec2Instance | undefined
  readonly processes: (instanceId: string) => readonly TrueProcess[]
  /** Data that lies whole on the machine: digests by key. */
  readonly data: (instanceId: string) => ReadonlyMap<string, string>
  /** Everybody who is registered with a load balancer, or drains. */
  readonly targets: () => readonly TrueTarget[]
  /** False for hardware on which the burn-in's checks, honestly run, would fail now. */
  readonly hardwareIsGood: (instanceId: string) => boolean
  /** An agent runs there, is not hung, and can reach the table. */
  readonly agentIsWell: (instanceId: string) => boolean
  /** Machines that the place can still sell. */
  readonly capacityLeft: (place: Place) => number
  readonly priceUsdPerHour: (place: Place) => number | undefined
  /** When something last went wrong, be it a lost call, a storm or bad hardware; 0 for never. */
  readonly lastDisturbanceAtMs: () => number
  /** True while faults may be injected: half of the rules on time hold only without. */
  readonly faultsAreOn: () => boolean
  /** Names of workloads that the script made so that they can never (wholly) run. */
  readonly impossibleWorkloads: () => ReadonlySet<string>
  /** By which the installation shares out its teams' quotas. */
  readonly quotaPolicy: QuotaPolicyName
  readonly lostAfterMs: number
  readonly bootDeadlineMs: number
}

export type Violation = {
  readonly rule: RuleName
  readonly text: string
  readonly atMs: number
}

export type Auditor = {
  /** Judges one act; the first violation found, if any. Cheap: it looks only at what moved. */
  see(seen: Seen): Violation | undefined
  /** Judges everything there is: run once a virtual hour and at the end. */
  full(): Violation | undefined
  /**
   * What keeps the herd from being whole, in words, worst first; empty when it has converged.
   * Asked only after the faults have ended.
   */
  unsettled(): readonly string[]
  /** The newest things drover said it did, with reasons, oldest first. */
  decisions(): readonly DroverEvent[]
}
