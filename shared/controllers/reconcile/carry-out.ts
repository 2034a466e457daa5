/**
 * Carries a plan out: items, then effects, each under the fence.
 *
 * The order is the promise. All items of the plan are written first: new claims with their launch
 * intents, drains, bindings, `terminating`. Then load balancers hear who comes and who leaves, EC2
 * is asked to end machines, which frees limits, to reboot some, and last to launch. No launch
 * starts so late that its answer could outlive the pass.
 */
import { describeError } from '../../base/errors.ts'
import { sameJson } from '../../base/equal.ts'
import type { LaunchOutcome } from '../../cloud/fleet.ts'
import type { Shortage } from '../../model/facts.ts'
import type { Launch } from '../../model/launch.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Status } from '../../model/status.ts'
import type { Action, Plan } from '../../planner/actions.ts'
import { changedItems, draftOf, type Draft } from '../../planner/fold.ts'
import type { Snapshot } from '../../planner/snapshot.ts'
import type { Write } from '../../store/store.ts'
import { tellBalancers } from './balancing.ts'
import type { EventDraft } from './events.ts'
import type { Fence } from './fence.ts'
import { launchesToSend, requestOf, settleOutcome, type Settled, type ToSend } from './launching.ts'
import type { ReconcilePorts, ReconcileSettings } from './settings.ts'
import {
  deleteLaunch,
  deleteStatus,
  nodeWrites,
  putBrake,
  putLaunch,
  putShortage,
  putStatus,
} from './writes.ts'

export type CarryOutContext = {
  readonly ports: ReconcilePorts
  readonly settings: ReconcileSettings
  readonly fence: Fence
  readonly snapshot: Snapshot
  readonly plan: Plan
  readonly draft: Draft
}

export type CarriedOut = {
  /** True when something was cut off or refused, and should be tried again soon. */
  readonly again: boolean
  readonly events: readonly EventDraft[]
}

export async function carryOut(context: CarryOutContext): Promise<CarriedOut> {
  const { plan, snapshot, settings, fence } = context
  const launches = launchesToSend(plan.actions, { snapshot, settings })
  const complete = await fence.write(itemWrites(context, launches))
  if (!complete) return { again: true, events: [] }
  const told = await tellBalancers(context)
  const terminated = await terminate(context, toTerminate(plan.actions, context.draft))
  await reboot(context, toReboot(plan.actions, context.draft))
  const launched = await launchAll(context, [...launches.replayed, ...launches.fresh])
  return {
    again: told.again || terminated.again || launched.again || launches.postponed.size > 0,
    events: [...told.events, ...terminated.events, ...launched.events],
  }
}

/** Groups of writes that belong together; claims stand with the intent that names them. */
function itemWrites(
  { snapshot, plan, draft }: CarryOutContext,
  { fresh, postponed }: ToSend,
): readonly (readonly Write[])[] {
  const changes = changedItems(draftOf(snapshot), draft)
  const byClaim = new Map(fresh.flatMap((own) => own.claims.map((name) => [name, own.id])))
  const intents = new Map<string, Write[]>(fresh.map((own) => [own.id, [putLaunch(own)]]))
  const groups: Write[][] = []
  for (const group of nodeWrites(changes)) {
    const name = group[0]?.kind === 'put' ? String(group[0].item['name']) : ''
    if (postponed.has(name)) continue
    const intent = intents.get(byClaim.get(name) ?? '')
    if (intent === undefined) groups.push(group)
    else intent.push(...group)
  }
  return [
    // What is condemned is on the books before it is acted on.
    ...plan.brakes.map((brake) => [putBrake(brake)]),
    ...plan.shortages.map((shortage) => [putShortage(shortage)]),
    ...groups,
    ...closedLaunches(plan.actions, snapshot, draft).map((id) => [deleteLaunch(id)]),
    ...statusWrites(plan, snapshot).map((write) => [write]),
    ...intents.values(),
  ]
}

/** Launches that were given up, or found by tag to the last claim. */
function closedLaunches(
  actions: readonly Action[],
  { launches }: Snapshot,
  draft: Draft,
): readonly string[] {
  const givenUp = new Set(
    actions.flatMap((action) => (action.kind === 'give-up' ? [action.launchId] : [])),
  )
  const isSettled = (launch: Launch): boolean =>
    launch.claims.every((name) => draft.nodes.get(name)?.phase !== 'launching')
  return launches.filter((own) => givenUp.has(own.id) || isSettled(own)).map((own) => own.id)
}

function statusWrites(plan: Plan, snapshot: Snapshot): readonly Write[] {
  const changed = [
    ...changedStatuses(snapshot.workloadStatuses, plan.workloadStatuses),
    ...changedStatuses(snapshot.poolStatuses, plan.poolStatuses),
    ...changedStatuses(snapshot.teamStatuses, plan.teamStatuses),
  ]
  return [...changed.map(putStatus), ...plan.endedStatuses.map(deleteStatus)]
}

function changedStatuses<T extends Status>(before: readonly T[], now: readonly T[]): readonly T[] {
  // Mostly a status that says what is so is the very one that stands.
  const standing = new Set(before)
  return now.filter(
    (own) => !standing.has(own) && !before.some((old) => old.uid === own.uid && sameJson(old, own)),
  )
}

function toTerminate(actions: readonly Action[], draft: Draft): readonly string[] {
  return actions.flatMap((action): readonly string[] => {
    if (action.kind === 'sweep') return action.instanceIds
    if (action.kind !== 'terminate') return []
    const machine = draft.nodes.get(action.node)?.machine
    return machine === undefined ? [] : [machine.instanceId]
  })
}

async function terminate(
  { ports, fence }: CarryOutContext,
  instanceIds: readonly string[],
): Promise<CarriedOut> {
  if (instanceIds.length === 0) return { again: false, events: [] }
  if (fence.isLate()) return { again: true, events: [] }
  try {
    const { failed } = await ports.fleet.terminate([...new Set(instanceIds)])
    for (const own of failed) ports.log.warn('EC2 did not terminate', { ...own })
    return { again: failed.length > 0, events: [] }
  } catch (error) {
    ports.log.warn('EC2 could not be asked to terminate', { error: describeError(error) })
    return { again: true, events: [] }
  }
}

function toReboot(actions: readonly Action[], draft: Draft): readonly string[] {
  return actions.flatMap((action) => {
    const machine = action.kind === 'reboot' ? draft.nodes.get(action.node)?.machine : undefined
    return machine === undefined ? [] : [machine.instanceId]
  })
}

/** Asked once; the plan asks again where the machine has not come up anew by then. */
async function reboot(
  { ports, fence }: CarryOutContext,
  instanceIds: readonly string[],
): Promise<void> {
  if (instanceIds.length === 0) return
  if (fence.isLate()) {
    ports.log.warn('no time was left to ask EC2 for a reboot', { instanceIds })
    return
  }
  try {
    const { failed } = await ports.fleet.reboot(instanceIds)
    for (const own of failed) ports.log.warn('EC2 did not reboot', { ...own })
  } catch (error) {
    ports.log.warn('EC2 could not be asked to reboot', { error: describeError(error) })
  }
}

async function launchAll(
  context: CarryOutContext,
  launches: readonly Launch[],
): Promise<CarriedOut> {
  const { ports, fence } = context
  const events: EventDraft[] = []
  const statuses = new Map(context.plan.workloadStatuses.map((own) => [own.name, own]))
  const shortages: Shortage[] = []
  let again = false
  for (const launch of launches) {
    const startMs = ports.clock.now()
    if (startMs - fence.pass.startedAtMs > LIMITS.lastLaunchStartMs) return { again: true, events }
    if (startMs >= launch.notAfterMs) {
      again = true
      continue
    }
    const outcome = await send(context, launch)
    const nowMs = ports.clock.now()
    const settled = settleOutcome(outcome, { ...context, launch, statuses, shortages, nowMs })
    if (!(await fence.write(settled.writes))) return { again: true, events }
    const ended = await terminate(context, settled.surplus)
    again ||= settled.again || ended.again
    events.push(...eventsFor(launch, settled))
  }
  return { again, events }
}

/**
 * The fleet port keeps its three cases apart itself; what it throws is as good as a lost answer.
 */
async function send({ ports }: CarryOutContext, launch: Launch): Promise<LaunchOutcome> {
  try {
    return await ports.fleet.launch(requestOf(launch))
  } catch (error) {
    return { outcome: 'unknown', text: describeError(error) }
  }
}

function eventsFor(launch: Launch, settled: Settled): EventDraft[] {
  const object = `pool/${launch.pool}`
  const isNews = settled.givenUp.length > 0 || launch.unknownSinceMs === undefined
  const failed = isNews && settled.nodes.length < launch.count
  return [
    ...settled.nodes.map(({ name, capacityType, claim }): EventDraft => ({
      object: `node/${name}`,
      type: 'Normal',
      reason: 'Launched',
      text: `${claim.places.join()}, ${capacityType}`,
    })),
    ...(failed
      ? [{ object, type: 'Warning' as const, reason: 'LaunchFailed', text: settled.text }]
      : []),
  ]
}
