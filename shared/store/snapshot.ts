/**
 * Reads the table into a snapshot.
 *
 * The scan is strongly consistent and whole, or it throws: half a table is no snapshot. A list that
 * says what it said the time before is the very same list, so that a herd at rest costs little.
 */
import { sameJson, sameMembers } from '../base/equal.ts'
import { frozen } from '../base/frozen.ts'
import { byKey, groupBy, type Compare } from '../base/order.ts'
import { remembered } from '../base/remembered.ts'
import { catalogWith, offeringsOf } from '../catalog/offerings.ts'
import { defaultOfferings } from '../catalog/defaults.ts'
import type { Market, Pass } from '../model/facts.ts'
import type { InstanceType, Offering } from '../model/machine.ts'
import { offeringKey } from '../planner/provision/prices.ts'
import type { Listing, PlanSettings, Snapshot } from '../planner/snapshot.ts'
import { mapKinds, parseItems, type Kind, type Parsed } from './parse-items.ts'
import type { Item, Store } from './store.ts'

export type SnapshotSettings = {
  readonly plan: PlanSettings
  /** Zones that machines are bought in: those with a subnet. */
  readonly zones: readonly string[]
}

export type SnapshotContext = {
  readonly nowMs: number
  readonly pass: Pass
  readonly settings: SnapshotSettings
  readonly listing?: Listing
}

/** Scans the table; throws StoreError when any part of it could not be read. */
export async function loadSnapshot(
  store: Pick<Store, 'scan'>,
  context: SnapshotContext,
): Promise<Snapshot> {
  return snapshotOf(await store.scan(), context)
}

/**
 * The snapshot that the items make: the same for the same items, in whatever order the segments of
 * a parallel scan brought them. Lists that are only ever looked up by key stay as they came.
 */
export function snapshotOf(items: readonly Item[], context: SnapshotContext): Snapshot {
  const { parsed, invalid } = parseItems(items)
  const lists = mapKinds((kind) => arranged[kind](parsed[kind] as never)) as Lists
  const { catalog, offerings } = onSale({
    zones: context.settings.zones,
    hourMs: Math.floor(context.nowMs / HOUR_MS) * HOUR_MS,
    shapes: shapesOf(lists['market-shapes']),
    markets: lists.market,
  })
  const specs = byNoun(lists.spec)
  const statuses = byNoun(lists.status)
  return {
    nowMs: context.nowMs,
    pass: context.pass,
    settings: context.settings.plan,
    workloads: (specs.workload ?? NONE) as Snapshot['workloads'],
    pools: (specs.pool ?? NONE) as Snapshot['pools'],
    teams: (specs.team ?? NONE) as Snapshot['teams'],
    revisions: lists.revision,
    orders: lists.order,
    nodes: lists.node,
    launches: lists.launch,
    assignments: lists.assignment,
    reports: lists.report,
    beats: lists.beat,
    verdicts: lists.verdict,
    signals: lists.signal,
    workloadStatuses: (statuses.workload ?? NONE) as Snapshot['workloadStatuses'],
    poolStatuses: (statuses.pool ?? NONE) as Snapshot['poolStatuses'],
    teamStatuses: (statuses.team ?? NONE) as Snapshot['teamStatuses'],
    shortages: lists.shortage,
    targets: lists.target,
    brakes: lists.brake,
    ...(lists.proposal[0] === undefined ? {} : { proposal: lists.proposal[0] }),
    ...(lists.rates[0] === undefined ? {} : { rates: lists.rates[0] }),
    catalog,
    offerings,
    ...(context.listing === undefined ? {} : { listing: context.listing }),
    invalid,
  }
}

type Lists = { readonly [K in Kind]: readonly Parsed[K][number][] }

const NONE: readonly never[] = Object.freeze([])

/**
 * The list in its order, frozen: the very list of the time before where it holds the very same
 * values, so that what was worked out from the list is remembered with it.
 */
function arranging<T extends object>(compare?: Compare<T>): (list: readonly T[]) => readonly T[] {
  let before: { readonly came: readonly T[]; readonly list: readonly T[] } | undefined
  return (came) => {
    if (before !== undefined && sameMembers(before.came, came)) return before.list
    const sorted = compare === undefined ? came : came.toSorted(compare)
    // The segments of a scan may bring the same in another order.
    const known = before !== undefined && sameMembers(before.list, sorted) ? before.list : undefined
    const list = known ?? Object.freeze(sorted)
    before = { came, list }
    return list
  }
}

const arranged: { readonly [K in Kind]: (list: Parsed[K]) => Lists[K] } = {
  spec: arranging(byKey((own) => own.name)),
  revision: arranging(),
  order: arranging(byKey((own) => own.name)),
  signal: arranging(),
  report: arranging(),
  beat: arranging(),
  verdict: arranging(),
  rates: arranging(),
  market: arranging(byKey((own) => own.zone)),
  'market-shapes': arranging(),
  launch: arranging(byKey((own) => own.id)),
  node: arranging(byKey((own) => own.name)),
  assignment: arranging(byKey((own) => own.node)),
  status: arranging(byKey((own) => own.name)),
  shortage: arranging(byKey((own) => offeringKey(own))),
  brake: arranging(byKey((own) => own.pool)),
  proposal: arranging(),
  target: arranging(byKey((own) => own.uid)),
  pushed: arranging(),
}

const byNoun = remembered((list: readonly { readonly noun: string }[]) =>
  Object.fromEntries(
    [...groupBy(list, (own) => own.noun)].map(([noun, own]) => [noun, Object.freeze(own)]),
  ),
)

const shapesOf = remembered(
  (list: Lists['market-shapes']) => list.flatMap((own) => own.types) as readonly InstanceType[],
)

const HOUR_MS = 3_600_000

/** All that decides what can be bought. */
type Sources = {
  readonly zones: readonly string[]
  /** The shipped prices move with the hour. */
  readonly hourMs: number
  readonly shapes: readonly InstanceType[]
  readonly markets: readonly Market[]
}

type Sale = {
  readonly catalog: readonly InstanceType[]
  readonly offerings: readonly Offering[]
}

let last: { readonly sources: Sources; readonly sale: Sale } | undefined

/**
 * What can be bought, and where. It changes a few times an hour and is read in every pass, so the
 * last answer is kept, and given again only when all that it was made from says the same.
 */
function onSale(sources: Sources): Sale {
  if (last !== undefined && sameJson(last.sources, sources)) return last.sale
  last = { sources, sale: saleOf(sources) }
  return last.sale
}

/** The market's prices, and the shipped ones until then, in the zones that machines come from. */
function saleOf({ zones, hourMs, shapes, markets }: Sources): Sale {
  const catalog = frozen(catalogWith(shapes))
  const missing = zones.filter((zone) => !markets.some((own) => own.zone === zone))
  const defaults = defaultOfferings({ zones: missing, atMs: hourMs, seed: 1 })
  // The GPU launch template's image is amd64 only.
  const unfit = new Set(
    catalog
      .filter((own) => own.gpuCount > 0 && own.architecture === 'arm64')
      .map((own) => own.name),
  )
  const offerings = offeringsOf({ catalog, markets, defaults }).filter(
    (own) => zones.includes(own.zone) && !unfit.has(own.instanceType),
  )
  return { catalog, offerings: frozen(offerings) }
}
