/**
 * Buying machines: the intent first, then the call, then what came of it.
 *
 * The intent is in the table before EC2 hears of it, with the request as the very text that is
 * sent. An answer that was parsed ends the launch: its instances are dealt to the claims under the
 * fence, what EC2 could not give is remembered as a shortage, and claims without an instance are
 * given up. Anything else leaves the launch open, and a later pass replays it or looks for its tag.
 */
import { createHash } from 'node:crypto'
import { must } from '../../base/assert.ts'
import type { LaunchedInstance, LaunchError, LaunchOutcome } from '../../cloud/fleet.ts'
import { instanceArn } from '../../model/arn.ts'
import {
  imageSortOf,
  launchRequestSchema,
  launchTag,
  TAGS,
  type Launch,
  type LaunchRequest,
} from '../../model/launch.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Node } from '../../model/node.ts'
import type { Shortage } from '../../model/facts.ts'
import type { WorkloadStatus } from '../../model/status.ts'
import type { Action, PlannedLaunch } from '../../planner/actions.ts'
import { dealInstances, type Dealing } from '../../planner/provision/deal.ts'
import type { Draft } from '../../planner/fold.ts'
import {
  isShortOf,
  rememberShortages,
  SPOT_INTERRUPTION,
} from '../../planner/provision/shortage.ts'
import type { Snapshot } from '../../planner/snapshot.ts'
import type { Write } from '../../store/store.ts'
import type { LaunchSettings } from '../launch-settings.ts'
import {
  deleteLaunch,
  putAssignment,
  putLaunch,
  putNode,
  putShortage,
  putStatus,
} from './writes.ts'
import { keys } from '../../store/keys.ts'
import type { ReconcileSettings } from './settings.ts'

/** The launch item of a planned launch: written before anything is sent. */
export function intentOf(
  planned: PlannedLaunch,
  { snapshot, settings }: { snapshot: Snapshot; settings: ReconcileSettings },
): Launch {
  const launch = { id: planned.id, attempt: 1 }
  const count = planned.claims.length
  const request: LaunchRequest = {
    token: tokenOf(launch, settings.cluster),
    capacityType: planned.capacityType,
    count,
    overrides: overridesOf(planned, snapshot, settings.launch),
    tags: {
      [TAGS.launch]: launchTag(launch),
      [TAGS.table]: settings.cluster,
      [TAGS.pool]: planned.pool,
      Name: `drover-${planned.pool}`,
    },
  }
  return {
    kind: 'launch',
    ...launch,
    pool: planned.pool,
    capacityType: planned.capacityType,
    count,
    claims: planned.claims.map((claim) => claim.name),
    request: JSON.stringify(request),
    notAfterMs: snapshot.nowMs + LIMITS.launchNotAfterMs,
    createdAtMs: snapshot.nowMs,
    workloads: [...planned.workloads],
  }
}

/** One token an attempt, told apart between installations; EC2 takes 64 ASCII characters. */
function tokenOf({ id, attempt }: { id: string; attempt: number }, cluster: string): string {
  return createHash('sha256')
    .update(`${cluster}/${id}/${String(attempt)}`)
    .digest('hex')
}

function overridesOf(
  planned: PlannedLaunch,
  snapshot: Snapshot,
  launch: LaunchSettings,
): LaunchRequest['overrides'] {
  const types = new Map(snapshot.catalog.map((type) => [type.name, type]))
  const { ami, rootVolumeGiB: rootVolumeGib } =
    snapshot.pools.find((own) => own.name === planned.pool)?.spec.launch ?? {}
  return planned.candidates.map(({ instanceType, zone }) => {
    const type = must(types.get(instanceType), `type ${instanceType}`)
    const template = launch.launchTemplates[imageSortOf(type)]
    const subnetId = launch.subnets[zone]
    return {
      instanceType,
      zone,
      ...(subnetId === undefined ? {} : { subnetId }),
      ...(ami === undefined ? {} : { imageId: ami }),
      ...(rootVolumeGib === undefined ? {} : { rootVolumeGib }),
      launchTemplateId: template.id,
      launchTemplateVersion: template.version,
    }
  })
}

/** The stored text as a request; what the fleet port sends on every attempt alike. */
export function requestOf(launch: Launch): LaunchRequest {
  return launchRequestSchema.parse(JSON.parse(launch.request))
}

export type Settled = {
  /** Groups that belong together; the launch itself ends with the last. */
  readonly writes: readonly (readonly Write[])[]
  /** Instances nobody claims, to be terminated. */
  readonly surplus: readonly string[]
  readonly nodes: readonly Node[]
  readonly givenUp: readonly string[]
  readonly errors: readonly LaunchError[]
  readonly text: string
  /** True when the same request should be tried again soon. */
  readonly again: boolean
}

export type SettleContext = {
  readonly launch: Launch
  readonly draft: Draft
  readonly snapshot: Snapshot
  readonly settings: ReconcileSettings
  /** As this pass has left them so far, by workload name. */
  readonly statuses: Map<string, WorkloadStatus>
  /** That this pass has come upon so far. */
  readonly shortages: Shortage[]
  readonly nowMs: number
}

/**
 * What EC2's answer (or the want of one) makes of a launch. A refusal ends it only on its very
 * first try: after a lost answer it says nothing of what that one did.
 */
export function settleOutcome(outcome: LaunchOutcome, context: SettleContext): Settled {
  const { launch, snapshot, nowMs } = context
  if (outcome.outcome === 'answered') return settleAnswer(outcome, context)
  const isFirstTry = !snapshot.launches.some((own) => own.id === launch.id)
  if (outcome.outcome === 'refused' && !outcome.retryable && isFirstTry) {
    const { overrides } = requestOf(launch)
    const errors = overrides.map(({ instanceType, zone }) => ({
      instanceType,
      zone,
      code: outcome.code,
      text: outcome.text,
    }))
    return settleAnswer({ outcome: 'answered', instances: [], errors }, context)
  }
  const code = outcome.outcome === 'refused' ? outcome.code : 'unknown'
  const text = `${code}: ${outcome.text}`.slice(0, 300)
  const unknownSinceMs = launch.unknownSinceMs ?? nowMs
  const open: Launch = { ...launch, unknownSinceMs, unknownText: text }
  const none = { surplus: [], nodes: [], givenUp: [], errors: [] }
  return { ...none, writes: [[putLaunch(open)]], text, again: true }
}

function settleAnswer(
  answer: Extract<LaunchOutcome, { outcome: 'answered' }>,
  context: SettleContext,
): Settled {
  const { launch, draft, snapshot, settings, nowMs } = context
  const { region, account } = settings
  const instances = answer.instances.map((own) => ({
    ...own,
    arn: instanceArn({ region, account, instanceId: own.instanceId }),
  }))
  const dealing = dealInstances({ launch, instances, draft, snapshot: { ...snapshot, nowMs } })
  const { capacityType } = launch
  const shortages = shortagesOf(answer, context)
  context.shortages.push(...shortages)
  const fresh = context.shortages
  const forgotten = forgottenShortages(answer.instances, { capacityType, snapshot, fresh })
  const writes: Write[][] = [
    ...dealing.nodes.map((node) => [
      putNode(node),
      ...dealing.assignments.filter((own) => own.node === node.name).flatMap(putAssignment),
    ]),
    ...dealing.givenUp.map((name): Write[] => [{ kind: 'delete', key: keys.node(name) }]),
    ...shortages.map((own) => [putShortage(own)]),
    ...forgotten.map((place): Write[] => [{ kind: 'delete', key: keys.shortage(place) }]),
    ...failedSpot(context, answer.instances.length).map((own) => [putStatus(own)]),
    [deleteLaunch(launch.id)],
  ]
  return {
    writes,
    surplus: dealing.surplus,
    nodes: dealing.nodes,
    givenUp: dealing.givenUp,
    errors: answer.errors,
    text: textOf(dealing, answer.errors),
    again: dealing.givenUp.length > 0,
  }
}

type Memory = {
  readonly capacityType: Launch['capacityType']
  readonly snapshot: Snapshot
  /** What answers of this pass say is short: the news beats the success beside it. */
  readonly fresh: readonly Shortage[]
}

/** Remembered shortages that a machine from there disproves, each once. */
function forgottenShortages(
  instances: readonly LaunchedInstance[],
  { capacityType, snapshot, fresh }: Memory,
): readonly Place[] {
  return snapshot.shortages.filter(
    (known) =>
      known.code !== SPOT_INTERRUPTION &&
      instances.some((own) => isShortOf(known, { ...own, capacityType })) &&
      !fresh.some((own) => isSamePlace(own, known)),
  )
}

/** An answer without machines that blames no place counts against every place it was asked for. */
function shortagesOf(
  { instances, errors }: Extract<LaunchOutcome, { outcome: 'answered' }>,
  { launch, snapshot, nowMs }: SettleContext,
): readonly Shortage[] {
  const { capacityType } = launch
  const memory = { capacityType, known: snapshot.shortages, nowMs }
  const blamed = rememberShortages(errors, memory)
  if (blamed.length > 0 || instances.length > 0) return blamed
  const { code, text } = errors[0] ?? { code: 'NothingLaunched', text: 'EC2 gave no reason' }
  const everywhere = requestOf(launch).overrides.map(({ instanceType, zone }) => ({
    instanceType,
    zone,
    code,
    text,
  }))
  return rememberShortages(everywhere, memory)
}

type Place = Pick<Shortage, 'instanceType' | 'zone' | 'capacityType'>

const isSamePlace = (a: Place, b: Place): boolean =>
  a.instanceType === b.instanceType && a.zone === b.zone && a.capacityType === b.capacityType

function textOf(dealing: Dealing, errors: readonly LaunchError[]): string {
  const got = `${String(dealing.nodes.length)} machines`
  const codes = [...new Set(errors.map((own) => own.code))].join(', ')
  return codes === '' ? got : `${got}; ${codes}`
}

/** A spot launch that brought less than asked counts against spot, for those it was bought for. */
function failedSpot(
  { launch, statuses }: SettleContext,
  instances: number,
): readonly WorkloadStatus[] {
  if (launch.capacityType !== 'spot' || instances >= launch.count) return []
  return launch.workloads.flatMap((name) => {
    const status = statuses.get(name)
    if (status === undefined) return []
    const failed = { ...status, spotFailures: status.spotFailures + 1 }
    statuses.set(name, failed)
    return failed
  })
}

export type ToSend = {
  readonly fresh: readonly Launch[]
  readonly replayed: readonly Launch[]
  /** Claims of launches that must wait: a pass sends only so many. The next one plans them anew. */
  readonly postponed: ReadonlySet<string>
}

/** The launches that an action list opens or takes up again. */
export function launchesToSend(
  actions: readonly Action[],
  { snapshot, settings }: { snapshot: Snapshot; settings: ReconcileSettings },
): ToSend {
  const opened = actions.flatMap((action) => (action.kind === 'launch' ? [action.launch] : []))
  const fresh = opened
    .slice(0, LIMITS.launchesPerPass)
    .map((launch) => intentOf(launch, { snapshot, settings }))
  const postponed = opened.slice(LIMITS.launchesPerPass).flatMap(({ claims }) => claims)
  const replayed = actions.flatMap((action) =>
    action.kind === 'replay' ? snapshot.launches.filter((own) => own.id === action.launchId) : [],
  )
  return { fresh, replayed, postponed: new Set(postponed.map(({ name }) => name)) }
}
