/**
 * What `get` shows, kind by kind: where it is read, and how it becomes rows.
 *
 * Each kind has its own type of row; a listing hides it behind lines of text, so that `get` and its
 * `--watch` are written once.
 */
import type { z } from 'zod'
import {
  eventAnswerSchema,
  nodeAnswerSchema,
  poolObjectSchema,
  replicaAnswerSchema,
  teamObjectSchema,
  workloadObjectSchema,
  type PoolObject,
  type TeamObject,
  type WorkloadObject,
} from '#shared/protocol/api.ts'
import { endpointsAnswerSchema, type EndpointAnswer } from '#shared/protocol/endpoints-answer.ts'
import { canonicalJson } from '#shared/base/equal.ts'
import type { Query } from './api.ts'
import type { Context } from './command.ts'
import { CliError, UsageError } from './errors.ts'
import { namedTarget, PATH_OF, objectPath, pluralOf, type Kind, type ShownKind } from './kinds.ts'
import { orSuggest } from './lookup.ts'
import { table, type Column, type TableStyle } from './render/table.ts'
import { endpointColumns } from './views/endpoint.ts'
import { eventColumns } from './views/event.ts'
import { nodeColumns } from './views/node.ts'
import { poolColumns, teamColumns } from './views/pool.ts'
import { replicaColumns } from './views/replica.ts'
import { workloadColumns } from './views/workload.ts'

export type Row = {
  readonly id: string
  /** Two readings of a row say the same when these are equal. */
  readonly print: string
  /** The API's JSON of it. */
  readonly body: unknown
}

export type Listing = {
  /** What `--json` prints. */
  readonly body: unknown
  readonly rows: readonly Row[]
  /** Its table: the header, then a line for each row. */
  lines(style: TableStyle): readonly string[]
}

export type Wanted = { readonly name: string | undefined; readonly query: Query }
type Read = (context: Context, wanted: Wanted) => Promise<Listing>

/** How an item of a kind becomes a row. */
type Rows<T> = {
  readonly id: (item: T) => string
  readonly columns: (nowMs: number) => readonly Column<T>[]
}
type Kinded<T> = Rows<T> & { readonly kind: Kind; readonly schema: z.ZodType<T> }

/**
 * The spec was checked by the very schema it is read as; newer fields are shown by `--json` alone.
 */
const asObject = <T>(schema: z.ZodType): z.ZodType<T> => schema as z.ZodType<T>

export const workloadAnswer = asObject<WorkloadObject>(workloadObjectSchema)
export const poolAnswer = asObject<PoolObject>(poolObjectSchema)
export const teamAnswer = asObject<TeamObject>(teamObjectSchema)

const byName = <T extends { readonly name: string }>(item: T): string => item.name
const byId = <T extends { readonly id: string }>(item: T): string => item.id

export const READERS: Readonly<Record<ShownKind, Read>> = {
  workload: reader({
    kind: 'workload',
    schema: workloadAnswer,
    id: byName,
    columns: () => workloadColumns,
  }),
  pool: reader({ kind: 'pool', schema: poolAnswer, id: byName, columns: () => poolColumns }),
  team: reader({ kind: 'team', schema: teamAnswer, id: byName, columns: () => teamColumns }),
  node: reader({ kind: 'node', schema: nodeAnswerSchema, id: byName, columns: nodeColumns }),
  replica: reader({
    kind: 'replica',
    schema: replicaAnswerSchema,
    id: byId,
    columns: replicaColumns,
  }),
  event: reader({ kind: 'event', schema: eventAnswerSchema, id: byId, columns: eventColumns }),
  endpoint: readEndpoints,
}

/** Kinds whose single objects have a path of their own. */
const ADDRESSED: ReadonlySet<Kind> = new Set(['workload', 'pool', 'team', 'node'])

function reader<T>(kinded: Kinded<T>): Read {
  return async (context, { name, query }) => {
    const { kind, schema } = kinded
    if (name !== undefined && ADDRESSED.has(kind)) {
      const target = { kind, name }
      const answer = await orSuggest(context, target, () =>
        context.api.get(objectPath(target), schema),
      )
      return listing([{ item: answer.value, body: answer.body }], {
        kinded,
        context,
        body: answer.body,
      })
    }
    const answer = await context.api.list(PATH_OF[kind], schema, query)
    const bodies = (answer.body as { readonly items: readonly unknown[] }).items
    const all = answer.value.map((item, index) => ({ item, body: bodies[index] }))
    if (name === undefined) return listing(all, { kinded, context, body: answer.body })
    const own = all.find(({ item }) => kinded.id(item) === name)
    if (own === undefined) throw notListed(kind, name)
    return listing([own], { kinded, context, body: own.body })
  }
}

const endpointRows: Rows<EndpointAnswer> = {
  id: ({ replica, name }) => `${replica}:${name}`,
  columns: () => endpointColumns,
}

/** What is named is the workload. */
async function readEndpoints(context: Context, { name }: Wanted): Promise<Listing> {
  if (name === undefined) throw new UsageError('NAME is missing', 'drover get endpoints WORKLOAD')
  const workload = namedTarget('workload', name)
  const answer = await orSuggest(context, workload, () =>
    context.api.get(`${objectPath(workload)}/endpoints`, endpointsAnswerSchema),
  )
  const bodies = (answer.body as { readonly items: readonly unknown[] }).items
  const all = answer.value.items.map((item, index) => ({ item, body: bodies[index] }))
  const { more } = answer.value
  return listing(all, { kinded: endpointRows, context, body: answer.body, more })
}

function notListed(kind: Kind, name: string): CliError {
  return new CliError({
    code: 'NotFound',
    text: `there is no ${kind} ${name}`,
    next: `drover get ${pluralOf(kind)} shows what there is`,
  })
}

type Entry<T> = { readonly item: T; readonly body: unknown }
type Whole<T> = {
  readonly kinded: Rows<T>
  readonly context: Context
  readonly body: unknown
  /** How many did not fit the answer. */
  readonly more?: number | undefined
}

function listing<T>(
  entries: readonly Entry<T>[],
  { kinded, context, body, more }: Whole<T>,
): Listing {
  const nowMs = context.world.clock.now()
  return {
    body,
    rows: entries.map(({ item, body: own }) => ({
      id: kinded.id(item),
      print: canonicalJson(own),
      body: own,
    })),
    lines: (style) => [
      ...table(
        kinded.columns(nowMs),
        entries.map(({ item }) => item),
        style,
      ),
      ...(more === undefined ? [] : [`and ${String(more)} more`]),
    ],
  }
}
