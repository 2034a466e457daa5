/**
 * Reads the table into a snapshot: every item parsed once, here, and then trusted.
 *
 * An item that does not parse is left out and named, so one bad item never stops the work of the
 * others. The scan is strongly consistent and whole, or it throws: half a table is no snapshot.
 */
import type { z } from 'zod'
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
  type Pass,
} from '../model/facts.ts'
import { launchSchema } from '../model/launch.ts'
import type { InstanceType, Offering } from '../model/machine.ts'
import { nodeSchema } from '../model/node.ts'
import { beatSchema, reportSchema } from '../model/report.ts'
import { specItemSchema, type SpecItem } from '../model/spec-item.ts'
import { statusSchema } from '../model/status.ts'
import { verdictSchema } from '../model/verdict.ts'
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

/** The snapshot that the items make. */
export function snapshotOf(items: readonly Item[], context: SnapshotContext): Snapshot {
  const { parsed, invalid } = parseItems(items)
  const shapes = parsed['market-shapes'].flatMap((own) => own.types)
  const catalog = catalogWith(shapes as readonly InstanceType[])
  const specs = (noun: SpecItem['noun']): SpecItem[] =>
    parsed.spec.filter((own) => own.noun === noun).sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    nowMs: context.nowMs,
    pass: context.pass,
    settings: context.settings.plan,
    workloads: specs('workload') as Snapshot['workloads'],
    pools: specs('pool') as Snapshot['pools'],
    teams: specs('team') as Snapshot['teams'],
    orders: parsed.order,
    nodes: parsed.node.sort((a, b) => (a.name < b.name ? -1 : 1)),
    launches: parsed.launch.sort((a, b) => (a.id < b.id ? -1 : 1)),
    assignments: parsed.assignment.sort((a, b) => (a.node < b.node ? -1 : 1)),
    reports: parsed.report,
    beats: parsed.beat,
    verdicts: parsed.verdict,
    signals: parsed.signal,
    workloadStatuses: parsed.status.filter((own) => own.noun === 'workload'),
    poolStatuses: parsed.status.filter((own) => own.noun === 'pool'),
    shortages: parsed.shortage,
    brakes: parsed.brake,
    catalog,
    offerings: offeringsFor(parsed.market, catalog, context),
    ...(context.listing === undefined ? {} : { listing: context.listing }),
    invalid,
  }
}

function parseItems(items: readonly Item[]): { parsed: Parsed; invalid: Snapshot['invalid'] } {
  const entries = Object.keys(SCHEMAS).map((kind) => [kind, []])
  const parsed = Object.fromEntries(entries) as Parsed
  const invalid: { key: string; text: string }[] = []
  for (const item of items) {
    const kind = kindOfKey(item)
    if (kind === 'ignored') continue
    const key = `${item.pk}/${item.sk}`
    if (kind === undefined) {
      invalid.push({ key, text: 'no kind of item has such a key' })
      continue
    }
    const result = SCHEMAS[kind].safeParse(item)
    const isForeign = BY_ARN.has(kind) && item.pk.slice(item.pk.indexOf('#') + 1) !== item['arn']
    if (result.success && !isForeign) (parsed[kind] as unknown[]).push(result.data)
    else if (isForeign) invalid.push({ key, text: 'it names another machine than its key' })
    else invalid.push({ key, text: result.error?.issues[0]?.message ?? 'does not parse' })
  }
  return { parsed, invalid }
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(SCHEMAS, kind)
}

const HOUR_MS = 3_600_000

/**
 * The market's prices, and the shipped ones until then, in the zones that machines can be had in.
 * They change a few times an hour and are read in every pass, so the last list is kept as it is.
 */
function offeringsFor(
  markets: Parsed['market'],
  catalog: readonly InstanceType[],
  { nowMs, settings }: SnapshotContext,
): readonly Offering[] {
  const hourMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS
  const prices = markets.map((own) => `${own.zone}@${String(own.atMs)}`).sort()
  const key = [settings.zones.join(), String(hourMs), String(catalog.length), ...prices].join(' ')
  if (lastOfferings?.key === key) return lastOfferings.offerings
  const missing = settings.zones.filter((zone) => !markets.some((own) => own.zone === zone))
  const defaults = defaultOfferings({ zones: missing, atMs: hourMs, seed: 1 })
  // The GPU launch template's image is amd64 only.
  const unfit = new Set(
    catalog
      .filter((own) => own.gpuCount > 0 && own.architecture === 'arm64')
      .map((own) => own.name),
  )
  const offerings = offeringsOf({ catalog, markets, defaults }).filter(
    (own) => settings.zones.includes(own.zone) && !unfit.has(own.instanceType),
  )
  lastOfferings = { key, offerings }
  return offerings
}

let lastOfferings: { key: string; offerings: readonly Offering[] } | undefined
