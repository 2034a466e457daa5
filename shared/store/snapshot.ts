/**
 * Reads the table into a snapshot: every item parsed once, here, and then trusted.
 *
 * An item that does not parse is left out and named, so one bad item never stops the work of the
 * others. The scan is strongly consistent and whole, or it throws: half a table is no snapshot.
 * What was parsed is frozen. A store in memory hands out the very items of the pass before, frozen
 * too, and what they say is remembered with them.
 */
import type { z } from 'zod'
import { sameJson } from '../base/equal.ts'
import { frozen } from '../base/frozen.ts'
import { byKey } from '../base/order.ts'
import { remembered } from '../base/remembered.ts'
import { catalogWith, offeringsOf } from '../catalog/offerings.ts'
import { defaultOfferings } from '../catalog/defaults.ts'
import { assignmentSchema } from '../model/assignment.ts'
import {
  brakeSchema,
  marketSchema,
  marketShapesSchema,
  orderSchema,
  shortageSchema,
  signalSchema,
  type Market,
  type Pass,
} from '../model/facts.ts'
import { launchSchema } from '../model/launch.ts'
import type { InstanceType, Offering } from '../model/machine.ts'
import { nodeSchema } from '../model/node.ts'
import { beatSchema, reportSchema } from '../model/report.ts'
import { specItemSchema, type SpecItem } from '../model/spec-item.ts'
import { statusSchema } from '../model/status.ts'
import { verdictSchema } from '../model/verdict.ts'
import { offeringKey } from '../planner/prices.ts'
import type { Listing, PlanSettings, Snapshot } from '../planner/snapshot.ts'
import type { Item, Key, Store } from './store.ts'

const SCHEMAS = {
  spec: specItemSchema,
  order: orderSchema,
  signal: signalSchema,
  report: reportSchema,
  beat: beatSchema,
  verdict: verdictSchema,
  market: marketSchema,
  'market-shapes': marketShapesSchema,
  launch: launchSchema,
  node: nodeSchema,
  assignment: assignmentSchema,
  status: statusSchema,
  shortage: shortageSchema,
  brake: brakeSchema,
} as const

type Kind = keyof typeof SCHEMAS
type Parsed = { [K in Kind]: z.infer<(typeof SCHEMAS)[K]>[] }

/**
 * What an item is follows from its key alone: a node may write anything into the items that are its
 * own, and must not be able to pass one off as something else.
 */
function kindOfKey({ pk, sk }: Key): Kind | 'ignored' | undefined {
  const [first = ''] = pk.split('#')
  if (first === 'market') return sk === 'shapes' ? 'market-shapes' : 'market'
  if (first === 'assign') return sk === 'body' ? 'assignment' : 'ignored'
  if (IGNORED.has(first)) return 'ignored'
  return isKind(first) ? first : undefined
}

/** Kinds that a plan does not need. */
const IGNORED: ReadonlySet<string> = new Set(['pass', 'revision', 'rates'])

/** Kinds whose items name the machine that wrote them, which must be the one its key names. */
const BY_ARN: ReadonlySet<string> = new Set(['report', 'beat', 'assignment'])

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
export async function loadSnapshot(store: Store, context: SnapshotContext): Promise<Snapshot> {
  return snapshotOf(await store.scan(), context)
}

/**
 * The snapshot that the items make: the same for the same items, in whatever order the segments of
 * a parallel scan brought them. Lists that are only ever looked up by key stay as they came.
 */
export function snapshotOf(items: readonly Item[], context: SnapshotContext): Snapshot {
  const { parsed, invalid } = parseItems(items)
  const { catalog, offerings } = onSale({
    zones: context.settings.zones,
    hourMs: Math.floor(context.nowMs / HOUR_MS) * HOUR_MS,
    shapes: parsed['market-shapes'].flatMap((own) => own.types) as readonly InstanceType[],
    markets: parsed.market.sort(byKey((own) => own.zone)),
  })
  const specs = (noun: SpecItem['noun']): SpecItem[] =>
    parsed.spec.filter((own) => own.noun === noun).sort(byName)
  const statuses = parsed.status.sort(byName)
  return {
    nowMs: context.nowMs,
    pass: context.pass,
    settings: context.settings.plan,
    workloads: specs('workload') as Snapshot['workloads'],
    pools: specs('pool') as Snapshot['pools'],
    teams: specs('team') as Snapshot['teams'],
    orders: parsed.order.sort(byName),
    nodes: parsed.node.sort(byName),
    launches: parsed.launch.sort(byKey((own) => own.id)),
    assignments: parsed.assignment.sort(byKey((own) => own.node)),
    reports: parsed.report,
    beats: parsed.beat,
    verdicts: parsed.verdict,
    signals: parsed.signal,
    workloadStatuses: statuses.filter((own) => own.noun === 'workload'),
    poolStatuses: statuses.filter((own) => own.noun === 'pool'),
    shortages: parsed.shortage.sort(byKey(offeringKey)),
    brakes: parsed.brake.sort(byKey((own) => own.pool)),
    catalog,
    offerings,
    ...(context.listing === undefined ? {} : { listing: context.listing }),
    invalid,
  }
}

const byName = byKey((own: { readonly name: string }) => own.name)

function parseItems(items: readonly Item[]): { parsed: Parsed; invalid: Snapshot['invalid'] } {
  const entries = Object.keys(SCHEMAS).map((kind) => [kind, []])
  const parsed = Object.fromEntries(entries) as Parsed
  const invalid: { key: string; text: string }[] = []
  for (const item of items) {
    const reading = read(item)
    if (reading.kind === 'invalid') invalid.push(reading.fault)
    else if (reading.kind !== 'ignored') (parsed[reading.kind] as unknown[]).push(reading.value)
  }
  return { parsed, invalid }
}

type Reading =
  | { readonly kind: Kind; readonly value: object }
  | { readonly kind: 'invalid'; readonly fault: { key: string; text: string } }
  | { readonly kind: 'ignored' }

/** What one item says. */
const read = remembered((item: Item): Reading => {
  const kind = kindOfKey(item)
  if (kind === 'ignored') return { kind }
  const fault = (text: string): Reading => {
    return { kind: 'invalid', fault: { key: `${item.pk}/${item.sk}`, text } }
  }
  if (kind === undefined) return fault('no kind of item has such a key')
  const isForeign = BY_ARN.has(kind) && item.pk.slice(item.pk.indexOf('#') + 1) !== item['arn']
  if (isForeign) return fault('it names another machine than its key')
  const result = SCHEMAS[kind].safeParse(item)
  if (result.success) return { kind, value: frozen(result.data) }
  return fault(result.error.issues[0]?.message ?? 'does not parse')
})

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(SCHEMAS, kind)
}

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
