/**
 * Where somebody says what a metric is: the last value stands until the next, or until it is old.
 */
import type { Context, Hono } from 'hono'
import { LIMITS } from '#shared/model/limits.ts'
import type { Pushed } from '#shared/model/scale-target.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { pushRequestSchema } from '#shared/protocol/scale-answer.ts'
import { keys } from '#shared/store/keys.ts'
import { isoOf } from './answers.ts'
import { isName, nameOf, readSpec } from './change-spec.ts'
import { isDeleted } from './objects.ts'
import type { AdminApiPorts } from './ports.ts'
import { notFound, problem } from './problem.ts'
import { readRequest } from './request.ts'
import { part, route } from './routing.ts'
import { writerOf } from './spec-routes.ts'
import { refuseWriter } from './writers.ts'

export function addMetricRoutes(app: Hono, ports: AdminApiPorts): void {
  route(app, '/v1/workloads/:name/metrics/:metric', { POST: (context) => push(ports, context) })
}

const DAY_SECONDS = 86_400

async function push(ports: AdminApiPorts, context: Context): Promise<Response> {
  const target = { noun: 'workload', name: part(context, 'name') } as const
  const metric = part(context, 'metric')
  const wanted = await readRequest(context.req.raw, pushRequestSchema)
  if (!wanted.ok) return wanted.response
  const item = isName(target.name) ? await readSpec(ports, target) : undefined
  if (item?.noun !== 'workload' || isDeleted(item)) return notFound(nameOf(target))
  const writer = await writerOf(ports, context)
  const refused = refuseWriter({ ...writer, live: item, next: undefined })
  if (refused !== undefined) return refused
  const names = pushedNames(item)
  if (!names.includes(metric)) return unknown(item.name, names)

  const atMs = ports.clock.now()
  const { value } = wanted.value
  const pushed: Pushed = { kind: 'pushed', uid: item.uid, metric, value, atMs }
  const ttl = Math.ceil(atMs / 1000) + LIMITS.pushedDays * DAY_SECONDS
  await ports.store.write({
    kind: 'put',
    item: { ...keys.pushed(item.uid, metric), ...pushed, ttl },
  })
  return Response.json({ workload: item.name, metric, value, at: isoOf(atMs) })
}

const pushedNames = ({ spec }: WorkloadItem): readonly string[] =>
  (spec.scale?.metrics ?? []).flatMap((own) => (own.type === 'pushed' ? [own.name] : []))

function unknown(name: string, names: readonly string[]): Response {
  const known = names.length === 0 ? 'none' : names.join(', ')
  const detail = `workload ${name} has no pushed metric of that name; it has ${known}`
  return problem({ status: 404, code: 'UnknownMetric', detail })
}
