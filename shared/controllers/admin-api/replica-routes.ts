/**
 * The routes of replicas. A replica is no item: it stands in its node's assignment and report, or,
 * while it waits, is part of a count in its workload's status.
 */
import type { Context, Hono } from 'hono'
import { byKey } from '#shared/base/order.ts'
import { specItemSchema, type WorkloadItem } from '#shared/model/spec-item.ts'
import type { ReplicaAnswer } from '#shared/protocol/api.ts'
import { keys } from '#shared/store/keys.ts'
import { fitting } from './answer-size.ts'
import { replicaAnswer, waitingAnswer, type NodeView } from './answers.ts'
import { isName, nameOf, readSpec } from './change-spec.ts'
import { explainBound, explainNode, explainWaiting, waitingOf } from './explain.ts'
import { failuresField, readBlamed } from './failures.ts'
import { parseItem, readHerd, readNode, readPartition, readWorkloadStatuses } from './herd.ts'
import { isDeleted, objectsOf } from './objects.ts'
import type { AdminApiPorts } from './ports.ts'
import { notFound } from './problem.ts'
import { readPage } from './request.ts'
import { part, route } from './routing.ts'

export function addReplicaRoutes(app: Hono, ports: AdminApiPorts): void {
  route(app, '/v1/replicas', { GET: (context) => list(ports, context) })
  route(app, '/v1/workloads/:name/explain', { GET: (context) => explain(ports, context) })
  route(app, '/v1/nodes/:name/explain', { GET: (context) => explainOne(ports, context) })
}

/**
 * In order of id, so that `after` means the same on every page. A filter that names nothing finds
 * none.
 */
async function list(ports: AdminApiPorts, context: Context): Promise<Response> {
  const page = readPage((name) => context.req.query(name))
  if (!page.ok) return page.response
  const { limit, after } = page.value
  const found = await findReplicas(ports, {
    workload: context.req.query('workload'),
    node: context.req.query('node'),
  })
  const rest = found
    .sort(byKey((replica) => replica.id))
    .filter((replica) => after === undefined || replica.id > after)
  const items = rest.slice(0, limit)
  const next = rest.length > limit ? items.at(-1)?.id : undefined
  return Response.json({ items, ...(next !== undefined && { next }) })
}

type Filter = { workload: string | undefined; node: string | undefined }

async function findReplicas(ports: AdminApiPorts, filter: Filter): Promise<ReplicaAnswer[]> {
  if ([filter.workload, filter.node].some((name) => name !== undefined && !isPlain(name))) return []
  const [views, waiting] = await Promise.all([
    viewsFor(ports, filter.node),
    filter.node === undefined ? findWaiting(ports, filter.workload) : [],
  ])
  const bound = views.flatMap((view) =>
    (view.assignment?.replicas ?? [])
      .filter(({ workload }) => filter.workload === undefined || workload === filter.workload)
      .map((replica) => replicaAnswer(replica, view)),
  )
  return [...bound, ...waiting]
}

const isPlain = (name: string): boolean => /^[a-z0-9-]{1,120}$/.test(name)

async function viewsFor(ports: AdminApiPorts, node: string | undefined): Promise<NodeView[]> {
  if (node === undefined) return readHerd(ports)
  const view = await readNode(ports, node)
  return view === undefined ? [] : [view]
}

async function findWaiting(
  ports: AdminApiPorts,
  workload: string | undefined,
): Promise<ReplicaAnswer[]> {
  const specs = await readWorkloads(ports, workload)
  const statuses = await readWorkloadStatuses(
    ports,
    specs.filter((spec) => !isDeleted(spec)),
  )
  return [...statuses.values()].flatMap((status) =>
    waitingOf(status).map(({ id, group }) => waitingAnswer(id, status.name, group.version)),
  )
}

async function readWorkloads(
  ports: AdminApiPorts,
  name: string | undefined,
): Promise<WorkloadItem[]> {
  if (name !== undefined) {
    const spec = isName(name) ? await readSpec(ports, { noun: 'workload', name }) : undefined
    return spec?.noun === 'workload' ? [spec] : []
  }
  const items = await readPartition(ports.store, keys.spec('workload', '').pk)
  const specs = items.flatMap((item) => parseItem(ports, specItemSchema, item) ?? [])
  return specs.filter((spec) => spec.noun === 'workload')
}

async function explain(ports: AdminApiPorts, context: Context): Promise<Response> {
  const name = part(context, 'name')
  const missing = (): Response => notFound(nameOf({ noun: 'workload', name }))
  const spec = isName(name) ? await readSpec(ports, { noun: 'workload', name }) : undefined
  if (spec === undefined || (await objectsOf(ports, [spec])).length === 0) return missing()
  const [herd, statuses] = await Promise.all([readHerd(ports), readWorkloadStatuses(ports, [spec])])
  const blamed = await readBlamed(ports, herd)
  const nowMs = ports.clock.now()
  const bound = herd.flatMap((view) =>
    (view.assignment?.replicas ?? [])
      .filter(({ uid }) => uid === spec.uid)
      .map((replica) => explainBound(replica, view, nowMs)),
  )
  const status = isDeleted(spec) ? undefined : statuses.get(name)
  const waiting = status === undefined ? [] : explainWaiting(status, nowMs)
  const ordered = bound.sort(byKey((replica) => replica.id))
  const mine = blamed.filter((own) => own.uid === spec.uid)
  const all = [...ordered, ...waiting]
  const replicas = fitting(all)
  const more = all.length - replicas.length
  return Response.json({ replicas, ...(more > 0 && { more }), ...failuresField(mine) })
}

async function explainOne(ports: AdminApiPorts, context: Context): Promise<Response> {
  const name = part(context, 'name')
  const herd = await readHerd(ports)
  const view = herd.find(({ node }) => node.name === name)
  if (view === undefined)
    return notFound(`node ${JSON.stringify(name.slice(0, 120).toWellFormed())}`)
  const blamed = (await readBlamed(ports, herd)).filter((own) => own.node === name)
  const nowMs = ports.clock.now()
  const bound = (view.assignment?.replicas ?? []).map((own) => explainBound(own, view, nowMs))
  return Response.json({
    name,
    phase: view.node.phase,
    reasons: explainNode(view, nowMs),
    replicas: bound.sort(byKey((replica) => replica.id)),
    ...failuresField(blamed),
  })
}
