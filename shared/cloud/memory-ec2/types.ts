/**
 * The vocabulary of the emulated EC2: places with something to sell, instances, and what is
 * answered.
 *
 * Everything that lasts is plain JSON, because a laptop's drover journals it and a simulation dumps
 * it.
 */
import type { RandomState } from '../../base/random.ts'
import type { CapacityType, InstanceType } from '../../model/machine.ts'

/** One market: what it still has and what it asks are facts about exactly these three. */
export type Place = {
  readonly instanceType: string
  readonly zone: string
  readonly capacityType: CapacityType
}

export type Ec2Offering = Place & {
  /** Instances the place can hold at once, those that run there included. */
  readonly capacity: number
  /** Spot: the middle around which the price walks, unless it is pinned. */
  readonly priceUsdPerHour: number
  /** The price was set by hand and stands still. */
  readonly pinned?: boolean
}

export type Range = { readonly min: number; readonly max: number }
export type Bucket = { readonly size: number; readonly refillPerSecond: number }

/** Bad weather; may change while the world runs. Rates are probabilities from 0 to 1. */
export type Ec2Faults = {
  /** Share of calls refused with RequestLimitExceeded, whatever the buckets hold. */
  readonly throttleRate: number
  /** Share of answers that are lost after the work was done. */
  readonly loseResponsesRate: number
  /** Share of instances that say `running` and never come up. */
  readonly neverBootsRate: number
  /** Notices a spot instance gets an hour, on average. */
  readonly spotInterruptionsPerHour: number
  /** Whether every other launch gets a host that somebody gave up, where there is one. */
  readonly secondHand: boolean
}

export type Ec2Options = {
  readonly seed: number
  readonly region: string
  readonly account: string
  readonly zones: readonly string[]
  /** Shapes that DescribeInstanceTypes tells; quotas need them too. */
  readonly instanceTypes: readonly InstanceType[]
  readonly offerings: readonly Ec2Offering[]
  /** From launch until the operating system is up. */
  readonly bootMs: Range
  readonly shutdownMs: Range
  /** How long a fresh instance is unknown to every call but its launch. */
  readonly listDelayMs: number
  readonly noticeMs: number
  /** How long a terminated instance is still shown. */
  readonly forgetAfterMs: number
  /** How long a client token is remembered. */
  readonly tokenMemoryMs: number
  /** `spread` is the standard deviation of the price's logarithm; 0 keeps prices still. */
  readonly priceWalk: {
    readonly spread: number
    readonly stepMs: number
    /** Replaces the built-in walk: a spot price at a moment, constant within each step. */
    readonly spotPriceAt?: (offering: Ec2Offering, atMs: number) => number
  }
  /** vCPUs that may run at once; undefined for no quota. Needs `instanceTypes`. */
  readonly quotaVcpu: { readonly spot?: number; readonly onDemand?: number }
  readonly buckets: {
    readonly mutating: Bucket
    readonly terminate: Bucket
    readonly terminatedInstances: Bucket
    readonly describe: Bucket
    readonly describeEverything: Bucket
  }
  readonly faults: Ec2Faults
  readonly imageId: string
}

export type Ec2State = 'pending' | 'running' | 'shutting-down' | 'terminated'

/** An instance as the world knows it. `…AtMs` fields in the future are what is due to it. */
export type Ec2Instance = {
  readonly instanceId: string
  readonly arn: string
  /** Order of birth; pages are cut along it. */
  readonly sequence: number
  readonly instanceType: string
  readonly zone: string
  /**
   * Which of the physical machines of its type and zone it sits on: what was given up comes back.
   */
  readonly host: number
  readonly capacityType: CapacityType
  /** At launch. */
  readonly priceUsdPerHour: number
  readonly imageId: string
  readonly subnetId?: string
  readonly privateIp: string
  readonly tags: Readonly<Record<string, string>>
  readonly launchedAtMs: number
  readonly visibleAtMs: number
  /** False: it says `running`, but no operating system ever comes up. */
  readonly boots: boolean
  state: Ec2State
  /** The operating system runs. */
  up: boolean
  /** 1 for the first boot; a reboot adds one. */
  bootNumber: number
  impaired: boolean
  /** When it next comes up: its boot, or the end of a reboot. */
  startsAtMs?: number | undefined
  /** When the seeded weather will give it a spot notice. */
  weatherAtMs?: number | undefined
  interruption?: { readonly action: 'terminate'; readonly atMs: number } | undefined
  rebalanceAtMs?: number | undefined
  /** Shutting down: when it is over; terminated: when it was. */
  endsAtMs?: number | undefined
}

export type FleetOverride = {
  readonly instanceType: string
  readonly zone: string
  readonly subnetId?: string | undefined
  readonly imageId?: string | undefined
  readonly launchTemplateId: string
  readonly launchTemplateVersion: string
}

export type FleetRequest = {
  readonly token?: string
  readonly capacityType: CapacityType
  readonly strategy: string
  readonly count: number
  readonly overrides: readonly FleetOverride[]
  readonly tags: Readonly<Record<string, string>>
}

export type FleetLaunched = { readonly instanceId: string; readonly override: FleetOverride }
export type FleetFault = {
  readonly override: FleetOverride
  readonly code: string
  readonly text: string
}

/** HTTP 200 holds both: what came to be, and what each place tried could not give. */
export type FleetAnswer = {
  readonly fleetId: string
  readonly instances: readonly FleetLaunched[]
  readonly errors: readonly FleetFault[]
}

export type TokenRecord = {
  /** Canonical JSON of the request it was first used with. */
  readonly parameters: string
  readonly atMs: number
  readonly answer: FleetAnswer
}

export type Refusal = {
  readonly answer: 'refused'
  readonly code: string
  readonly text: string
  readonly httpStatus: number
}

/** What a caller gets to see. `lost`: the work is done and nobody hears of it. */
export type Ec2Answer<T> =
  { readonly answer: 'done'; readonly value: T } | Refusal | { readonly answer: 'lost' }

export type StateChange = {
  readonly instanceId: string
  readonly previous: Ec2State
  readonly current: Ec2State
}

export type Page<T> = { readonly items: readonly T[]; readonly next?: string }
export type Filter = { readonly name: string; readonly values: readonly string[] }
export type PageRequest = { readonly maxResults?: number; readonly nextToken?: string }

export type InstanceStatus = {
  readonly instance: Ec2Instance
  readonly status: 'ok' | 'impaired' | 'initializing' | 'not-applicable'
}

export type SpotPrice = {
  readonly instanceType: string
  readonly zone: string
  readonly priceUsdPerHour: number
  readonly atMs: number
}

/** An event in EventBridge's own envelope. */
export type Ec2Event = {
  readonly version: '0'
  readonly id: string
  readonly 'detail-type': string
  readonly source: 'aws.ec2'
  readonly account: string
  readonly time: string
  readonly region: string
  readonly resources: readonly string[]
  readonly detail: Readonly<Record<string, string>>
}

/**
 * Called after the state is settled (and journalled, by `onChange`), in the order things happened.
 */
export type Ec2Hooks = {
  /** Something that a restart must know has changed; called before the hooks it leads to. */
  readonly onChange?: () => void
  /** The operating system of the instance is up; again after each reboot. */
  readonly onStart?: (instance: Ec2Instance) => void
  /** It is up no more: ended, dead, or about to come up again. */
  readonly onEnd?: (instance: Ec2Instance) => void
  readonly onEvent?: (event: Ec2Event) => void
}

/** The world's memory: all of it, and nothing that the options say already. */
export type Ec2Dump = {
  readonly random: RandomState
  readonly sequence: number
  /** By type and zone: hosts that were handed out so far. */
  readonly hosts: Readonly<Record<string, number>>
  readonly instances: readonly Ec2Instance[]
  readonly tokens: Readonly<Record<string, TokenRecord>>
  /** Offerings that were changed since. */
  readonly offerings: readonly Ec2Offering[]
  readonly faults: Ec2Faults
}

/** What a control says; a refusal is the caller's mistake, in words. */
export type ControlOutcome =
  | { readonly done: true }
  | { readonly done: false; readonly code: 'NotFound' | 'WrongState'; readonly text: string }
