/**
 * Reconcile: the one that decides, and the only one that changes EC2.
 *
 * A pass takes the fence, reads the whole truth, plans, and carries the plan out: items first, so
 * that every effect's intent is in the table, then the effects, each answered by a write under the
 * same fence. It may die between any two steps; the next pass reads where things stand and goes on.
 */
import { describeError } from '../../base/errors.ts'
import { METRICS } from '../../cloud/metric-names.ts'
import type { Pass } from '../../model/facts.ts'
import { LIMITS } from '../../model/limits.ts'
import { launchSchema, type Launch } from '../../model/launch.ts'
import { plan as makePlan } from '../../planner/plan.ts'
import type { Listing, Snapshot } from '../../planner/snapshot.ts'
import { appendEvents } from '../../store/history.ts'
import { keys } from '../../store/keys.ts'
import { loadSnapshot, type SnapshotSettings } from '../../store/snapshot.ts'
import { equal } from '../../store/store.ts'
import { snapshotSettingsOf } from '../plan-settings.ts'
import { askBalancers } from './balancing.ts'
import { carryOut, type CarriedOut } from './carry-out.ts'
import { eventsOf, number } from './events.ts'
import { makeFence, OvertakenError, passItem, readPass, takeEpoch } from './fence.ts'
import type { ReconcilePorts, ReconcileSettings } from './settings.ts'

export type ReconcileOutcome =
  | { readonly outcome: 'acknowledged' }
  | { readonly outcome: 'overtaken' }
  | {
      readonly outcome: 'done'
      readonly epoch: number
      readonly actions: number
      readonly unschedulable: number
      readonly nextAtMs?: number
    }

/**
 * One pass, for a wake that was sent at `sentAtMs` (unknown: always a pass). Throws StoreError when
 * the table cannot be read or written: the message comes again.
 */
export async function reconcile(
  ports: ReconcilePorts,
  settings: ReconcileSettings,
  wake: { readonly sentAtMs?: number } = {},
): Promise<ReconcileOutcome> {
  const startedAtMs = ports.clock.now()
  if (await isAnswered(ports, wake)) return { outcome: 'acknowledged' }
  try {
    const pass = await takeEpoch(ports.store, { nowMs: startedAtMs, cluster: settings.cluster })
    return await runPass(ports, settings, pass)
  } catch (error) {
    if (!(error instanceof OvertakenError)) throw error
    ports.log.info('overtaken by another pass')
    return { outcome: 'overtaken' }
  }
}

/** A wake sent well before the start of a pass that ended well has been seen by it. */
async function isAnswered(
  { store }: ReconcilePorts,
  { sentAtMs }: { readonly sentAtMs?: number },
): Promise<boolean> {
  if (sentAtMs === undefined) return false
  const pass = await readPass(store)
  return (
    pass?.lastGoodStartedAtMs !== undefined &&
    sentAtMs + LIMITS.wakeDelayMs <= pass.lastGoodStartedAtMs
  )
}

async function runPass(
  ports: ReconcilePorts,
  settings: ReconcileSettings,
  pass: Pass,
): Promise<ReconcileOutcome> {
  const fence = makeFence(ports, pass)
  const snapshot = await askBalancers(ports, await readWorld(ports, settings, pass))
  const { plan, draft } = makePlan(snapshot)
  const done = await carryOut({ ports, settings, fence, snapshot, plan, draft })
  await endPass(ports, pass, { snapshot, plan, done })
  return {
    outcome: 'done',
    epoch: pass.epoch,
    actions: plan.actions.length,
    unschedulable: plan.unschedulable.length,
    ...(plan.nextAtMs === undefined ? {} : { nextAtMs: plan.nextAtMs }),
  }
}

/**
 * EC2 is listed first and the table read after it, so that nothing listed is too new to be known.
 */
async function readWorld(
  ports: ReconcilePorts,
  settings: ReconcileSettings,
  pass: Pass,
): Promise<Snapshot> {
  const listing = await listIfDue(ports, settings, pass)
  const snapshot = await loadSnapshot(ports.store, {
    nowMs: pass.startedAtMs,
    pass,
    settings: snapshotSettings(settings),
    ...(listing === undefined ? {} : { listing }),
  })
  for (const { key, text } of snapshot.invalid)
    ports.log.error('an item does not parse', { key, text })
  if (listing === undefined) return snapshot
  const whole = await askForUnlisted(ports, snapshot, listing)
  if (whole === undefined) return withoutListing(snapshot)
  return { ...snapshot, listing: { ...whole, impaired: await impairedOf(ports, snapshot) } }
}

/**
 * A listing may leave out what is there, and a machine that is taken for gone is lost with all it
 * carries. So EC2 is asked by id for those that it did not list; undefined when it does not answer.
 */
async function askForUnlisted(
  { fleet, log }: ReconcilePorts,
  { nodes }: Snapshot,
  listing: Listing,
): Promise<Listing | undefined> {
  const listed = new Set(listing.items.map((own) => own.instanceId))
  const missing = nodes.flatMap(({ machine }) => {
    if (machine === undefined || listed.has(machine.instanceId)) return []
    const ageMs = listing.listedAtMs - machine.launchedAtMs
    return ageMs < LIMITS.notFoundMinAgeMs ? [] : machine.instanceId
  })
  if (missing.length === 0) return listing
  try {
    return { ...listing, items: [...listing.items, ...(await fleet.describe(missing))] }
  } catch (error) {
    log.warn('EC2 did not tell of machines by id', { error: describeError(error) })
    return undefined
  }
}

/** *Not listed* must not be read from half an answer. */
function withoutListing({ listing: _, ...snapshot }: Snapshot): Snapshot {
  return snapshot
}

export function snapshotSettings(settings: ReconcileSettings): SnapshotSettings {
  return snapshotSettingsOf(settings.plan, settings.launch)
}

/** EC2 is asked once a minute, and whenever a launch can only be found by its tag. */
async function listIfDue(
  { store, fleet, clock, log }: ReconcilePorts,
  settings: ReconcileSettings,
  pass: Pass,
): Promise<Listing | undefined> {
  const { items } = await store.query(keys.launch('').pk)
  const open = items.flatMap((item): Launch[] => {
    const parsed = launchSchema.safeParse(item)
    return parsed.success ? [parsed.data] : []
  })
  const sinceSweepMs = pass.startedAtMs - (pass.lastSweepAtMs ?? 0)
  const isDue = sinceSweepMs >= LIMITS.sweepEveryMs - LIMITS.wakeDelayMs * 5
  const isNeeded = open.some((launch) => launch.notAfterMs <= pass.startedAtMs)
  if (!isDue && !isNeeded) return undefined
  const listedAtMs = clock.now()
  try {
    return { listedAtMs, items: await fleet.list(settings.cluster), impaired: [] }
  } catch (error) {
    log.warn('EC2 could not be listed; this pass goes without', { error: describeError(error) })
    return undefined
  }
}

/** Only silence makes EC2's own status checks worth a call. */
async function impairedOf(
  { fleet, clock, log }: ReconcilePorts,
  { nodes, pass }: Snapshot,
): Promise<readonly string[]> {
  const isLate = clock.now() - pass.startedAtMs > LIMITS.lastLaunchStartMs
  if (isLate) return []
  const silent = nodes.flatMap((node) =>
    node.silentSinceMs === undefined ? [] : (node.machine?.instanceId ?? []),
  )
  if (silent.length === 0) return []
  try {
    return await fleet.impaired(silent)
  } catch (error) {
    log.warn('EC2 did not tell of status checks', { error: describeError(error) })
    return []
  }
}

type Ended = {
  readonly snapshot: Snapshot
  readonly plan: ReturnType<typeof makePlan>['plan']
  readonly done: CarriedOut
}

async function endPass(
  ports: ReconcilePorts,
  pass: Pass,
  { snapshot, plan, done }: Ended,
): Promise<void> {
  const { store, queue, metrics, clock } = ports
  const swept = snapshot.listing
  const ended: Pass = {
    ...pass,
    lastGoodStartedAtMs: pass.startedAtMs,
    ...(swept === undefined ? {} : { lastSweepAtMs: swept.listedAtMs }),
    ...(plan.suspects === undefined ? {} : { suspects: { ...plan.suspects } }),
  }
  const when = [equal('epoch', pass.epoch)]
  const result = await store.write({ kind: 'put', item: passItem(ended), when })
  if (!result.applied) throw new OvertakenError(pass.epoch)
  metrics.record(METRICS.goodPass, 1, 'Count')
  // Before the news, which may take long. This pass counts as good, so nobody else sends either.
  const nowMs = clock.now()
  try {
    if (done.again) await queue.wakeLater('unfinished', LIMITS.unfinishedWakeMs)
    if (plan.nextAtMs !== undefined) {
      await queue.wakeLater('next', Math.max(0, plan.nextAtMs - nowMs))
    }
  } finally {
    await tellPeople(ports, [
      ...eventsOf(plan),
      ...number(done.events, {
        atMs: plan.nowMs,
        writer: `r${String(plan.epoch)}`,
        from: plan.actions.length * 2 + plan.notices.length,
      }),
    ])
  }
}

/** Events are for people: losing some is a pity, never a reason to fail a pass. */
async function tellPeople(
  { history, bus, log }: ReconcilePorts,
  events: Parameters<typeof appendEvents>[1],
): Promise<void> {
  if (events.length === 0) return
  const results = await Promise.allSettled([appendEvents(history, events), bus.publish(events)])
  for (const result of results) {
    if (result.status === 'rejected') {
      log.warn('events were lost', { error: describeError(result.reason) })
    }
  }
}
