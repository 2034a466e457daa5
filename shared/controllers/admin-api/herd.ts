/**
 * Reads the herd as people ask for it: nodes joined with what is bound to them and what they
 * report.
 *
 * An item that does not parse is left out and logged: one bad report must not hide the other
 * nodes.
 */
import type { z } from 'zod'
import type { Logger } from '#shared/base/log.ts'
import { must } from '#shared/base/assert.ts'
import { assignmentSchema } from '#shared/model/assignment.ts'
import { orderSchema } from '#shared/model/facts.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Noun } from '#shared/model/names.ts'
import { nodeSchema, type Node } from '#shared/model/node.ts'
import { reportSchema } from '#shared/model/report.ts'
import { scaleTargetSchema, type ScaleTarget } from '#shared/model/scale-target.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { poolStatusSchema, teamStatusSchema, workloadStatusSchema } from '#shared/model/status.ts'
import type { PoolStatus, TeamStatus, WorkloadStatus } from '#shared/model/status.ts'
import { keys } from '#shared/store/keys.ts'
import { keyText } from '#shared/store/rules.ts'
import type { Item, Key, Store } from '#shared/store/store.ts'
import type { NodeView } from './answers.ts'

export type Reader = { readonly store: Store; readonly log: Logger }

/** The item as its schema reads it; undefined, and a warning, when it does not parse. */
export function parseItem<T extends z.ZodType>(
  { log }: Pick<Reader, 'log'>,
  schema: T,
  item: Item | undefined,
): z.infer<T> | undefined {
  if (item === undefined) return undefined
  const parsed = schema.safeParse(item)
  if (parsed.success) return parsed.data
  log.warn('an item does not parse and is left out', {
    pk: item.pk,
    sk: item.sk,
    issues: parsed.error.issues.slice(0, 3).map((own) => `${own.path.join('.')}: ${own.message}`),
  })
  return undefined
}

/** Every item of a partition, page by page. */
export async function readPartition(store: Store, pk: string, prefix?: string): Promise<Item[]> {
  const items: Item[] = []
  let after: string | undefined
  do {
    const page = await store.query(pk, {
      limit: LIMITS.pageMaxItems,
      ...(prefix === undefined ? {} : { prefix }),
      ...(after === undefined ? {} : { after }),
    })
    items.push(...page.items)
    after = page.next
  } while (after !== undefined)
  return items
}

/** All nodes, by name, each with assignment, report and order. */
export async function readHerd(reader: Reader): Promise<NodeView[]> {
  return viewsOf(reader, await readNodes(reader))
}

export async function readNodes(reader: Reader): Promise<Node[]> {
  const items = await readPartition(reader.store, keys.node('').pk)
  return items.flatMap((item) => parseItem(reader, nodeSchema, item) ?? [])
}

/** A page of nodes by name. */
export async function readNodePage(
  reader: Reader,
  page: { limit: number; after?: string },
): Promise<{ views: NodeView[]; next?: string }> {
  const { items, next } = await reader.store.query(keys.node('').pk, page)
  const nodes = items.flatMap((item) => parseItem(reader, nodeSchema, item) ?? [])
  return { views: await viewsOf(reader, nodes), ...(next === undefined ? {} : { next }) }
}

export async function readNode(reader: Reader, name: string): Promise<NodeView | undefined> {
  const node = parseItem(reader, nodeSchema, await reader.store.get(keys.node(name)))
  if (node === undefined) return undefined
  const [view] = await viewsOf(reader, [node])
  return must(view, 'the view of a node just read')
}

async function viewsOf(reader: Reader, nodes: readonly Node[]): Promise<NodeView[]> {
  const wanted: Key[] = nodes.flatMap(({ name, machine }) => [
    keys.order('node', name),
    ...(machine === undefined ? [] : [keys.assignment(machine.arn), keys.report(machine.arn)]),
  ])
  const items = new Map<string, Item>()
  for (const item of await reader.store.getMany(wanted)) items.set(keyText(item), item)
  const find = (key: Key): Item | undefined => items.get(keyText(key))
  return nodes.map((node) => {
    const arn = node.machine?.arn
    const order = parseItem(reader, orderSchema, find(keys.order('node', node.name)))
    return {
      node,
      order: order?.target === 'node' ? order : undefined,
      assignment: parseItem(
        reader,
        assignmentSchema,
        arn === undefined ? undefined : find(keys.assignment(arn)),
      ),
      report: parseItem(
        reader,
        reportSchema,
        arn === undefined ? undefined : find(keys.report(arn)),
      ),
    }
  })
}

/** What autoscaling last said of those that are scaled, by uid. */
export async function readTargets(
  reader: Reader,
  workloads: readonly WorkloadItem[],
): Promise<Map<string, ScaleTarget>> {
  const scaled = workloads.filter((own) => own.spec.scale !== undefined)
  const items = await reader.store.getMany(scaled.map(({ uid }) => keys.target(uid)))
  const targets = items.flatMap((item) => parseItem(reader, scaleTargetSchema, item) ?? [])
  return new Map(targets.map((own) => [own.uid, own]))
}

/**
 * What reconcile last wrote of these workloads, by name; of an older uid there is nothing to tell.
 */
export async function readWorkloadStatuses(
  reader: Reader,
  workloads: readonly { name: string; uid: string }[],
): Promise<Map<string, WorkloadStatus>> {
  return readStatuses(reader, { noun: 'workload', schema: workloadStatusSchema, of: workloads })
}

export async function readPoolStatuses(
  reader: Reader,
  pools: readonly { name: string; uid: string }[],
): Promise<Map<string, PoolStatus>> {
  return readStatuses(reader, { noun: 'pool', schema: poolStatusSchema, of: pools })
}

export async function readTeamStatuses(
  reader: Reader,
  teams: readonly { name: string; uid: string }[],
): Promise<Map<string, TeamStatus>> {
  return readStatuses(reader, { noun: 'team', schema: teamStatusSchema, of: teams })
}

async function readStatuses<T extends { name: string; uid: string }>(
  reader: Reader,
  wanted: {
    noun: Noun
    schema: z.ZodType<T>
    of: readonly { name: string; uid: string }[]
  },
): Promise<Map<string, T>> {
  const uids = new Map(wanted.of.map(({ name, uid }) => [name, uid]))
  const items = await reader.store.getMany(
    [...uids.keys()].map((name) => keys.status(wanted.noun, name)),
  )
  const statuses = items
    .flatMap((item) => parseItem(reader, wanted.schema, item) ?? [])
    .filter((status) => uids.get(status.name) === status.uid)
  return new Map(statuses.map((status) => [status.name, status]))
}
