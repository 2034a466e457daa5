/**
 * What the table's items say: every item parsed once, here, and then trusted.
 *
 * An item that does not parse is left out and named, so one bad item never stops the work of the
 * others. What was parsed is frozen. A store in memory hands out the very items of the pass before,
 * frozen too, and what they say is remembered with them.
 */
import type { z } from 'zod'
import { frozen } from '../base/frozen.ts'
import { remembered } from '../base/remembered.ts'
import { assignmentSchema } from '../model/assignment.ts'
import {
  brakeSchema,
  marketSchema,
  marketShapesSchema,
  orderSchema,
  shortageSchema,
  signalSchema,
} from '../model/facts.ts'
import { launchSchema } from '../model/launch.ts'
import { nodeSchema } from '../model/node.ts'
import { proposalSchema } from '../model/proposal.ts'
import { ratesSchema } from '../model/rates.ts'
import { beatSchema, reportSchema } from '../model/report.ts'
import { revisionSchema, specItemSchema } from '../model/spec-item.ts'
import { pushedSchema, scaleTargetSchema } from '../model/scale-target.ts'
import { statusSchema } from '../model/status.ts'
import { verdictSchema } from '../model/verdict.ts'
import type { Snapshot } from '../planner/snapshot.ts'
import type { Item, Key } from './store.ts'

const SCHEMAS = {
  spec: specItemSchema,
  revision: revisionSchema,
  order: orderSchema,
  signal: signalSchema,
  report: reportSchema,
  beat: beatSchema,
  verdict: verdictSchema,
  rates: ratesSchema,
  market: marketSchema,
  'market-shapes': marketShapesSchema,
  launch: launchSchema,
  node: nodeSchema,
  assignment: assignmentSchema,
  status: statusSchema,
  shortage: shortageSchema,
  brake: brakeSchema,
  proposal: proposalSchema,
  target: scaleTargetSchema,
  pushed: pushedSchema,
} as const

export type Kind = keyof typeof SCHEMAS
export type Parsed = { [K in Kind]: z.infer<(typeof SCHEMAS)[K]>[] }

/**
 * What an item is follows from its key alone: a node may write anything into the items that are its
 * own, and must not be able to pass one off as something else.
 */
function kindOfKey({ pk, sk }: Key): Kind | 'ignored' | undefined {
  const end = pk.indexOf('#')
  const first = end < 0 ? pk : pk.slice(0, end)
  if (first === 'market') return sk === 'shapes' ? 'market-shapes' : 'market'
  if (first === 'assign') return sk === 'body' ? 'assignment' : 'ignored'
  if (IGNORED.has(first)) return 'ignored'
  return isKind(first) ? first : undefined
}

/** Kinds that a plan does not need. */
const IGNORED: ReadonlySet<string> = new Set(['pass'])

/** Kinds whose items name the machine that wrote them, which must be the one its key names. */
const BY_ARN: ReadonlySet<string> = new Set(['report', 'beat', 'assignment'])

const KINDS = Object.keys(SCHEMAS) as readonly Kind[]

export function mapKinds<T>(make: (kind: Kind) => T): { [K in Kind]: T } {
  return Object.fromEntries(KINDS.map((kind) => [kind, make(kind)])) as { [K in Kind]: T }
}

/** All that the items say, kind by kind, in the order in which they came. */
export function parseItems(items: readonly Item[]): {
  parsed: Parsed
  invalid: Snapshot['invalid']
} {
  const before = lastRead
  const readings = items.map((item, i) => {
    const known = before.items[i] === item ? before.readings[i] : undefined
    return known !== undefined && Object.isFrozen(item) ? known : read(item)
  })
  const moved = movedKinds(before.readings, readings)
  const parsed = mapKinds((kind): object[] => (moved.has(kind) ? [] : before.parsed[kind]))
  const invalid: { key: string; text: string }[] = []
  for (const reading of readings) {
    if (reading.kind === 'invalid') invalid.push(reading.fault)
    else if (reading.kind !== 'ignored' && moved.has(reading.kind)) {
      parsed[reading.kind].push(reading.value)
    }
  }
  lastRead = { items, readings, parsed }
  return { parsed: parsed as Parsed, invalid }
}

/** The last table: what stands where it stood there is known at once, and so are whole lists. */
let lastRead: {
  readonly items: readonly Item[]
  readonly readings: readonly Reading[]
  readonly parsed: { readonly [K in Kind]: object[] }
} = { items: [], readings: [], parsed: mapKinds(() => []) }

/** Kinds of which something came, went, changed or changed places. */
function movedKinds(
  before: readonly Reading[],
  now: readonly Reading[],
): ReadonlySet<Reading['kind']> {
  const moved = new Set<Reading['kind']>()
  for (let i = 0; i < Math.max(before.length, now.length); i += 1) {
    const [was, is] = [before[i], now[i]]
    if (was === is) continue
    if (was !== undefined) moved.add(was.kind)
    if (is !== undefined) moved.add(is.kind)
  }
  return moved
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
