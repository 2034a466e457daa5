/**
 * Load balancers: which replicas are registered with a target group, and who may stop by now.
 *
 * A replica is registered once its agent says that it is ready, and is ready to the rest of drover
 * once it is healthy *there*. It leaves in the opposite order: deregistered, then waited for until
 * nothing is open any more, and only then does its agent hear of the stop. Each step is written
 * before it is done, and done again in each pass until the balancer tells of it: an answer may be
 * lost, and a listing may lag behind. Which target group that is belongs to a replica's version:
 * another one comes with a roll-out, and whoever runs stays where it is until it is stopped.
 */
import {
  servicePort,
  targetKey,
  type Balanced,
  type Service,
  type Target,
  type TargetState,
} from '../model/service.ts'
import { remembered } from '../base/remembered.ts'
import { nextRoundMs } from '../base/rounds.ts'
import { templateKey, type Assignment, type BoundReplica } from '../model/assignment.ts'
import { LIMITS } from '../model/limits.ts'
import type { Node } from '../model/node.ts'
import type { Report, ReportedReplica } from '../model/report.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { Reason } from '../model/status.ts'
import type { Action } from './actions.ts'
import { reportsByArn } from './facts.ts'
import type { Draft } from './fold.ts'
import { isVoluntary } from './repack/groups.ts'
import { isAlive, isLeaving, replicasByUid, templateOfBound, type Replica } from './replicas.ts'
import type { Snapshot, TargetGroupView } from './snapshot.ts'

/** Whether a replica that its agent calls ready serves there; `unknown` while nobody could tell. */
export type Serving = 'yes' | 'no' | 'unknown'

/** Whether a replica serves, by what target groups say; undefined where it stands behind none. */
export type ServingOf = (bound: BoundReplica, on: Host) => Serving | undefined

type Host = { readonly node: Node; readonly assignment: Assignment }

export function openServing({ targetGroups }: Pick<Snapshot, 'targetGroups'>): ServingOf {
  const views = viewsOf(targetGroups)
  return (bound, { node: { machine }, assignment }) => {
    const { balanced } = bound
    if (machine === undefined || !isBehindOne(bound, assignment)) return undefined
    if (balanced === undefined || balanced.leavingSinceMs !== undefined) return 'no'
    const view = views.get(balanced.targetGroupArn)
    if (view === undefined) return 'unknown'
    const state = view.get(targetKey({ ...balanced, instanceId: machine.instanceId }))
    return state === 'healthy' || state === 'unavailable' ? 'yes' : 'no'
  }
}

const isBehindOne = (bound: BoundReplica, { templates }: Assignment): boolean =>
  bound.balanced !== undefined || templates[templateKey(bound)]?.service !== undefined

/** Some replica of it stands behind a load balancer, or is to. */
export function hasServices(assignment: Assignment): boolean {
  return targetGroupsOn(assignment).length > 0
}

type Views = ReadonlyMap<string, ReadonlyMap<string, TargetState>>

/** By target group, then by `<instance>:<port>`; groups that could not be asked are left out. */
function viewsOf(groups: readonly TargetGroupView[] = []): Views {
  const views = new Map<string, ReadonlyMap<string, TargetState>>()
  for (const { targetGroupArn, targets } of groups) {
    if (targets === undefined) continue
    views.set(targetGroupArn, new Map(targets.map((own) => [targetKey(own), own.state])))
  }
  return views
}

/** Who is to be registered, who is to leave, and who has left. */
export function balance(snapshot: Snapshot, draft: Draft): readonly Action[] {
  if (!isAsked(snapshot)) return []
  const { nowMs } = snapshot
  const reports = reportsByArn(snapshot.reports)
  const views = viewsOf(snapshot.targetGroups)
  const live = new Set(snapshot.workloads.filter(isLive).map((own) => own.uid))
  return servedIn(draft).flatMap((own): readonly Action[] => {
    const { bound, node } = own
    const { balanced } = bound
    const template = templateOfBound(own, draft)
    if (balanced?.leavingSinceMs !== undefined) {
      return hasLeft(own, { balanced, views, nowMs }) ? [release(own)] : []
    }
    if (template?.service === undefined) return []
    const told = toldOf(reports.get(node.machine?.arn ?? ''), own)
    const port = portIn(told, servicePort(template))
    if (balanced !== undefined) {
      const hasMoved = port !== undefined && port !== balanced.port
      return hasMoved ? [deregister(own)] : []
    }
    const isUp = bound.order === 'run' && isServable(node) && told?.ready === true
    if (port === undefined || !isUp || !live.has(bound.uid)) return []
    const { targetGroupArn } = template.service
    return [register(own, { targetGroupArn, port }, nowMs)]
  })
}

/** Replicas that stand behind a load balancer, or are to. */
const servedIn = remembered((draft: Draft): readonly Replica[] =>
  [...replicasByUid(draft).values()]
    .flat()
    .filter(
      (own) =>
        own.bound.balanced !== undefined || templateOfBound(own, draft)?.service !== undefined,
    ),
)

const isLive = ({ deletedAtMs }: WorkloadItem): boolean => deletedAtMs === undefined

/** Some workload has a service, or had one behind which some replica still stands. */
const isAsked = ({ workloads, targetGroups }: Snapshot): boolean =>
  targetGroups !== undefined || workloads.some(({ spec }) => spec.service !== undefined)

const isServable = (node: Node): boolean => node.phase === 'ready' && !isLeaving(node)

function toldOf(report: Report | undefined, { bound, node }: Replica): ReportedReplica | undefined {
  if (report === undefined || report.bootId !== node.bootId) return undefined
  return report.replicas.find((own) => own.id === bound.id)
}

/** The port of an address like `10.0.0.7:20113`; reports are untrusted. */
function portIn(told: ReportedReplica | undefined, name: string | undefined): number | undefined {
  const digits = /:(\d{1,5})$/.exec(told?.addresses[name ?? ''] ?? '')?.[1]
  const port = Number(digits)
  return digits === undefined || port < 1 || port > 65_535 ? undefined : port
}

type Leaving = {
  readonly balanced: Balanced
  readonly views: Views
  readonly nowMs: number
}

/** Nothing is open there any more, or there is no more time to wait for that. */
function hasLeft({ bound, node }: Replica, { balanced, views, nowMs }: Leaving): boolean {
  const sinceMs = balanced.leavingSinceMs ?? nowMs
  if (nowMs >= lastMomentMs(bound, node, sinceMs)) return true
  const view = views.get(balanced.targetGroupArn)
  if (view === undefined || nowMs - sinceMs < LIMITS.targetsLagMs) return false
  const state = view.get(targetKey({ ...balanced, instanceId: node.machine?.instanceId ?? '' }))
  return state === undefined || state === 'unused'
}

/** When it must begin to stop, whatever is still open; a drain that ends nothing does not press. */
function lastMomentMs({ graceSeconds }: BoundReplica, node: Node, sinceMs: number): number {
  const endsAtMs = isVoluntary(node) ? Infinity : (node.drain?.deadlineMs ?? Infinity)
  const byDeadlineMs = endsAtMs - graceSeconds * 1000
  return Math.min(sinceMs + LIMITS.deregisterMostMs, byDeadlineMs)
}

function register(
  { bound, node }: Replica,
  target: Pick<Balanced, 'targetGroupArn' | 'port'>,
  nowMs: number,
): Action {
  const reason = { code: 'Registered', text: 'it is ready for its load balancer' }
  const balanced = { ...target, sinceMs: nowMs }
  return { kind: 'register', node: node.name, replica: bound.id, balanced, reason }
}

function deregister({ bound, node }: Replica): Action {
  const reason = { code: 'Deregistered', text: 'its load balancer is to let go of it' }
  return { kind: 'deregister', node: node.name, replica: bound.id, reason }
}

function release({ bound, node }: Replica): Action {
  const reason = { code: 'Released', text: 'its load balancer sends it nothing any more' }
  return { kind: 'release', node: node.name, replica: bound.id, reason }
}

/** What to tell a target group now; the same again until its listing says that it is so. */
export type TargetChange = {
  readonly targetGroupArn: string
  readonly register: readonly Target[]
  readonly deregister: readonly Target[]
}

/** Of drover's own machines every target is drover's; those of others are left alone. */
export function targetChanges(snapshot: Snapshot, draft: Draft): readonly TargetChange[] {
  if (!isAsked(snapshot)) return []
  const all = servedIn(draft).flatMap(entryOf)
  const known = new Map(snapshot.targetGroups?.map((own) => [own.targetGroupArn, own.targets]))
  const arns = new Set([...known.keys(), ...all.map((own) => own.balanced.targetGroupArn)])
  const ours = new Set(snapshot.nodes.flatMap((own) => own.machine?.instanceId ?? []))
  return [...arns].sort().flatMap((targetGroupArn) => {
    const here = all.filter(({ balanced }) => balanced.targetGroupArn === targetGroupArn)
    const wanted = new Map(here.filter(staysIn).map((own) => [own.key, own.target]))
    const listed = known.get(targetGroupArn)
    const told = new Map(listed?.map((own) => [targetKey(own), own]))
    // Who is in it already cannot be told from a group that did not answer.
    const register = [...(listed === undefined ? [] : wanted)].flatMap(([key, target]) => {
      const state = told.get(key)?.state
      return state === undefined || state === 'draining' ? [target] : []
    })
    const unwanted = [...told].flatMap(([key, { instanceId, port, state }]) =>
      !ours.has(instanceId) || wanted.has(key) || state === 'draining'
        ? []
        : [{ instanceId, port }],
    )
    // A listing that lags, or none at all, does not tell of those that were registered just now.
    const leaving = here.filter((own) => !staysIn(own) && !told.has(own.key))
    const deregister = [...unwanted, ...leaving.map((own) => own.target)]
    return register.length + deregister.length === 0
      ? []
      : [{ targetGroupArn, register, deregister }]
  })
}

type Entry = {
  readonly balanced: Balanced
  readonly key: string
  readonly target: Target
  readonly node: Node
}

function entryOf({ bound, node }: Replica): readonly Entry[] {
  const { balanced } = bound
  if (balanced === undefined || node.machine === undefined) return []
  const { instanceId } = node.machine
  const target = { instanceId, port: balanced.port }
  return [{ balanced, node, target, key: targetKey(target) }]
}

const staysIn = ({ balanced, node }: Entry): boolean =>
  balanced.leavingSinceMs === undefined && isAlive(node)

/** When to ask the balancers again: while somebody comes or goes. */
export function balanceMoments(snapshot: Snapshot, draft: Draft): readonly number[] {
  if (!isAsked(snapshot)) return []
  const { nowMs } = snapshot
  const lookMs = (sinceMs: number): number => nextRoundMs(nowMs, lookEveryMs(nowMs - sinceMs))
  return servedIn(draft).flatMap(({ bound, node }) => {
    const { balanced, readySinceMs } = bound
    if (balanced === undefined || !isAlive(node)) return []
    const { sinceMs, unreadySinceMs = sinceMs, leavingSinceMs } = balanced
    if (leavingSinceMs !== undefined)
      return [lookMs(leavingSinceMs), lastMomentMs(bound, node, leavingSinceMs)]
    return readySinceMs === undefined ? [lookMs(unreadySinceMs)] : []
  })
}

/** About a tenth of what has been waited already, so that no wait grows by much more than that. */
function lookEveryMs(waitedMs: number): number {
  const { balancerLookMs, balancerLookDoublings } = LIMITS
  const doublings = Math.floor(Math.log2(Math.max(1, waitedMs / (10 * balancerLookMs))))
  return balancerLookMs * 2 ** Math.min(doublings, balancerLookDoublings)
}

/** Why a target group could not be asked that replicas are in, or are to be in; if so. */
export function troubleOf(
  service: Service | undefined,
  replicas: readonly Replica[],
  { targetGroups }: Snapshot,
): Reason | undefined {
  const isIts = (arn: string): boolean =>
    service?.targetGroupArn === arn ||
    replicas.some(({ bound }) => bound.balanced?.targetGroupArn === arn)
  return targetGroups?.find((own) => own.error !== undefined && isIts(own.targetGroupArn))?.error
}

const targetGroupsOn = remembered(({ templates, replicas }: Assignment): readonly string[] => [
  ...Object.values(templates).flatMap(({ service }) => service?.targetGroupArn ?? []),
  ...replicas.flatMap(({ balanced }) => balanced?.targetGroupArn ?? []),
])

/** Target groups to ask: those that specs name, and those that replicas are in or are to be in. */
export function targetGroupsIn({
  workloads,
  assignments,
}: Pick<Snapshot, 'workloads' | 'assignments'>): readonly string[] {
  const named = workloads.flatMap(({ spec }) => spec.service?.targetGroupArn ?? [])
  const used = assignments.flatMap(targetGroupsOn)
  return [...new Set([...named, ...used])].sort()
}
