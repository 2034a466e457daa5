/**
 * Sweeps up instances that carry this table's tag and that nobody claims.
 *
 * Killing the wrong machine is worse than paying for a stray one, so an orphan must be seen in two
 * listings a minute apart, be older than any launch in flight, and pass the brake. Machines older
 * than drover's own unbroken memory (a table restored from a backup, a long outage) may well be
 * carrying work that the table has forgotten: those are adopted and kept as they are, until a
 * person allows the sweep. One that carries nothing joins the herd.
 */
import { byKey } from '../base/order.ts'
import { typesByName } from '../catalog/catalog.ts'
import { LIMITS } from '../model/limits.ts'
import { launchTag, TAGS } from '../model/launch.ts'
import type { ListedInstance } from '../model/machine.ts'
import type { Node } from '../model/node.ts'
import type { Action } from './actions.ts'
import type { BrakeBook } from './brake.ts'
import { machineOf } from './provision/deal.ts'
import { typeIn } from './provision/offers.ts'
import type { Draft } from './fold.ts'
import type { IdMaker } from './ids.ts'
import type { Snapshot } from './snapshot.ts'

export type Sweep = {
  readonly actions: readonly Action[]
  /** Undefined where nothing was listed. */
  readonly suspects?: Readonly<Record<string, number>>
}

export type SweepContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly brakes: BrakeBook
  readonly ids: IdMaker
}

export function sweep(context: SweepContext): Sweep {
  const { snapshot, draft, ids } = context
  const { listing, pass } = snapshot
  if (listing === undefined || hasUnreadable(snapshot)) return { actions: [] }
  const actions: Action[] = []
  const suspects: Record<string, number> = {}
  const mayEnd = snapshot.orders.some((order) => order.target === 'sweep')
  for (const orphan of orphansOf(snapshot, draft)) {
    const isOlderThanMemory = orphan.launchedAtMs < pass.coveredSinceMs
    if (isOlderThanMemory && !mayEnd) {
      const node = adoptedNode(orphan, snapshot, ids)
      if (node !== undefined) actions.push(adoption(orphan, node))
      continue
    }
    const firstSeenMs = pass.suspects[orphan.instanceId]
    suspects[orphan.instanceId] = firstSeenMs ?? listing.listedAtMs
    if (!isRipe(orphan, firstSeenMs, listing.listedAtMs)) continue
    const condemned = adoptedNode(orphan, snapshot, ids)
    if (condemned !== undefined && !context.brakes.condemn(condemned, 'Orphaned')) continue
    const text = `no launch of this table knows ${orphan.instanceId}`
    const reason = { code: 'Orphaned', text }
    actions.push({ kind: 'sweep', instanceIds: [orphan.instanceId], reason })
  }
  return { actions, suspects }
}

/** Whoever cannot read every node and launch cannot say that nobody claims an instance. */
function hasUnreadable({ invalid }: Snapshot): boolean {
  return invalid.some(({ key }) => key.startsWith('node/') || key.startsWith('launch/'))
}

function isRipe(
  orphan: ListedInstance,
  firstSeenMs: number | undefined,
  listedAtMs: number,
): boolean {
  return (
    firstSeenMs !== undefined &&
    listedAtMs - firstSeenMs >= LIMITS.sweepEveryMs &&
    listedAtMs - orphan.launchedAtMs > LIMITS.sweepMinAgeMs
  )
}

function orphansOf({ listing, launches, pass }: Snapshot, draft: Draft): readonly ListedInstance[] {
  const claimed = new Set([...draft.nodes.values()].map((node) => node.machine?.instanceId))
  const assigned = new Set([...draft.assignments.values()].map((own) => own.arn))
  const open = new Set(launches.map(launchTag))
  return [...(listing?.items ?? [])]
    .filter(
      (own) =>
        own.tags[TAGS.table] === pass.tableUid &&
        (own.state === 'pending' || own.state === 'running') &&
        !claimed.has(own.instanceId) &&
        !assigned.has(own.arn) &&
        !open.has(own.tags[TAGS.launch] ?? ''),
    )
    .sort(byKey((own) => own.instanceId))
}

function adoption(instance: ListedInstance, node: Node): Action {
  const text = 'it is older than the table can remember'
  return { kind: 'adopt', instance, node, reason: { code: 'Adopted', text } }
}

/** The instance as a node of the pool that its tag names; undefined where there is none. */
function adoptedNode(orphan: ListedInstance, snapshot: Snapshot, ids: IdMaker): Node | undefined {
  const pool = snapshot.pools.find((own) => own.name === orphan.tags[TAGS.pool])
  const known = typesByName(snapshot.catalog).get(orphan.instanceType)
  if (pool === undefined || known === undefined) return undefined
  const type = typeIn(pool, known)
  const { nowMs } = snapshot
  const claim: Node['claim'] = {
    places: [`${orphan.instanceType}/${orphan.zone}`],
    least: type.allocatable,
    largest: type.allocatable,
    dearestUsdPerHour: type.onDemandUsdPerHour,
    ...(type.gpuModel === undefined ? {} : { gpuModel: type.gpuModel }),
  }
  const { capacityType } = orphan
  const machine = machineOf(orphan, {
    claim: { claim, capacityType, pool: pool.name },
    snapshot,
    nowMs,
  })
  return {
    kind: 'node',
    name: `${pool.name}-${ids.next()}`,
    pool: pool.name,
    phase: 'booting',
    phaseSinceMs: nowMs,
    createdAtMs: nowMs,
    capacityType,
    architecture: type.architecture,
    launchId: orphan.tags[TAGS.launch] ?? '',
    claim,
    machine,
    runtimes: [],
    cordoned: false,
    adoptedAtMs: nowMs,
    reason: 'adopted: older than the table can remember',
  }
}
