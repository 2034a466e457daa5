/**
 * The routes of what people write: workloads, pools, teams.
 */
import type { Context, Hono } from 'hono'
import { isGang } from '#shared/model/gang.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { NOUNS, PLURAL_OF, type Noun } from '#shared/model/names.ts'
import { specItemSchema, type SpecItem } from '#shared/model/spec-item.ts'
import type { Reason } from '#shared/model/status.ts'
import { scaleRequestSchema } from '#shared/protocol/api.ts'
import { parseDocument } from '#shared/protocol/documents.ts'
import { keys } from '#shared/store/keys.ts'
import { fittingPage } from './answer-size.ts'
import {
  changeSpec,
  isName,
  nameOf,
  readRevisions,
  readSpec,
  type Change,
  type Changed,
  type SpecName,
} from './change-spec.ts'
import { parseItem, readPartition, readWorkloadStatuses } from './herd.ts'
import { isDeleted, objectOf, objectsOf } from './objects.ts'
import type { AdminApiPorts } from './ports.ts'
import { invalid, notFound, problem } from './problem.ts'
import { record } from './record.ts'
import { revisionAnswers } from './revisions.ts'
import { readIfMatch, readNeededBody, readPage, readRequest } from './request.ts'
import { part, route } from './routing.ts'
import { dataWarnings, warningsOf } from './warnings.ts'
import { refuseWriter, type RequestEnvironment, type Writing } from './writers.ts'

export function addSpecRoutes(app: Hono, ports: AdminApiPorts): void {
  for (const noun of NOUNS) {
    const target = (context: Context): SpecName => ({ noun, name: part(context, 'name') })
    route(app, `/v1/${PLURAL_OF[noun]}`, { GET: (context) => list(ports, noun, context) })
    route(app, `/v1/${PLURAL_OF[noun]}/:name`, {
      GET: (context) => show(ports, target(context)),
      PUT: (context) => put(ports, target(context), context),
      DELETE: (context) => remove(ports, target(context), context),
    })
  }
  route(app, '/v1/workloads/:name/scale', { POST: (context) => scale(ports, context) })
  route(app, '/v1/workloads/:name/revisions', { GET: (context) => revisions(ports, context) })
}

async function list(ports: AdminApiPorts, noun: Noun, context: Context): Promise<Response> {
  const page = readPage((name) => context.req.query(name))
  if (!page.ok) return page.response
  const { items, next } = await ports.store.query(keys.spec(noun, '').pk, page.value)
  const specs = items.flatMap((item) => parseItem(ports, specItemSchema, item) ?? [])
  const objects = await objectsOf(ports, specs)
  return Response.json(fittingPage({ items: objects, next }, ({ name }) => name))
}

async function show(ports: AdminApiPorts, target: SpecName): Promise<Response> {
  const item = await readNamed(ports, target)
  const [object] = item === undefined ? [] : await objectsOf(ports, [item])
  return object === undefined ? notFound(nameOf(target)) : Response.json(object)
}

async function put(ports: AdminApiPorts, target: SpecName, context: Context): Promise<Response> {
  const match = readIfMatch(context.req.header('if-match'))
  if (!match.ok) return match.response
  const body = await readNeededBody(context.req.raw)
  if (!body.ok) return body.response
  const writer = await writerOf(ports, context)
  const changed = await changeSpec(ports, { ...target, match: match.value }, (live): Change => {
    const kept = live?.noun === 'workload' ? { count: live.spec } : {}
    const parsed = parseDocument(body.value, { ...target, ...kept })
    if (!parsed.ok) return { kind: 'refuse', response: invalid(parsed.faults, parsed.code) }
    return allowed({ ...writer, live, next: parsed.document })
  })
  return answerChange(ports, changed)
}

type Writer = Pick<Writing, 'teams' | 'caller'>

/** Who asks, and the teams whose principals may. */
export async function writerOf(ports: AdminApiPorts, context: Context): Promise<Writer> {
  const { caller } = (context.env as RequestEnvironment) ?? {}
  return { caller, teams: await readLive(ports, 'team') }
}

const allowed = (writing: Writing): Change => {
  const response = refuseWriter(writing)
  if (response !== undefined) return { kind: 'refuse', response }
  return writing.next === undefined ? { kind: 'delete' } : { kind: 'store', document: writing.next }
}

/** All specs of the noun that are not deleted. */
async function readLive<N extends Noun>(
  ports: AdminApiPorts,
  noun: N,
): Promise<readonly Extract<SpecItem, { noun: N }>[]> {
  const items = await readPartition(ports.store, keys.spec(noun, '').pk)
  const specs = items.flatMap((item) => parseItem(ports, specItemSchema, item) ?? [])
  return specs.filter(
    (own): own is Extract<SpecItem, { noun: N }> => own.noun === noun && !isDeleted(own),
  )
}

async function remove(ports: AdminApiPorts, target: SpecName, context: Context): Promise<Response> {
  const match = readIfMatch(context.req.header('if-match'))
  if (!match.ok) return match.response
  const standing = await readNamed(ports, target)
  if (standing !== undefined && isDeleted(standing)) {
    const [object] = await objectsOf(ports, [standing])
    return object === undefined ? notFound(nameOf(target)) : Response.json(object, { status: 202 })
  }
  if (standing === undefined) return notFound(nameOf(target))
  const writer = await writerOf(ports, context)
  const changed = await changeSpec(ports, { ...target, match: match.value }, (live) =>
    live === undefined
      ? { kind: 'refuse', response: notFound(nameOf(target)) }
      : allowed({ ...writer, live, next: undefined }),
  )
  return answerChange(ports, changed)
}

async function scale(ports: AdminApiPorts, context: Context): Promise<Response> {
  const target: SpecName = { noun: 'workload', name: part(context, 'name') }
  const wanted = await readRequest(context.req.raw, scaleRequestSchema)
  if (!wanted.ok) return wanted.response
  if (!isName(target.name)) return notFound(nameOf(target))
  const writer = await writerOf(ports, context)
  const changed = await changeSpec(ports, target, (live): Change => {
    if (live?.noun !== 'workload') return { kind: 'refuse', response: notFound(nameOf(target)) }
    if (live.spec.scale !== undefined) return { kind: 'refuse', response: scalesItself(target) }
    const { replicas } = wanted.value
    const spec = { ...live.spec, replicas }
    if (isGang(live) && replicas > LIMITS.gangReplicasMax) {
      const message = `must be at most ${String(LIMITS.gangReplicasMax)} for a gang`
      return { kind: 'refuse', response: invalid([{ path: 'replicas', message }]) }
    }
    return allowed({ ...writer, live, next: { noun: 'workload', name: target.name, spec } })
  })
  return answerChange(ports, changed, `replicas set to ${String(wanted.value.replicas)}`)
}

function scalesItself(target: SpecName): Response {
  return problem({
    status: 409,
    code: 'ScalesItself',
    detail: `${nameOf(target)} scales itself: apply another scale, or replicas instead of it`,
  })
}

async function revisions(ports: AdminApiPorts, context: Context): Promise<Response> {
  const target: SpecName = { noun: 'workload', name: part(context, 'name') }
  const spec = await readNamed(ports, target)
  if (spec?.noun !== 'workload' || (await objectsOf(ports, [spec])).length === 0) {
    return notFound(nameOf(target))
  }
  const statuses = await readWorkloadStatuses(ports, [spec])
  const kept = await readRevisions(ports, spec.uid)
  const items = revisionAnswers(kept, { spec, status: statuses.get(spec.name) })
  return Response.json({ items })
}

async function answerChange(ports: AdminApiPorts, changed: Changed, what = ''): Promise<Response> {
  if (changed.outcome === 'refused') return changed.response
  const { outcome, item } = changed
  if (outcome !== 'unchanged') await recordChange(ports, { outcome, item }, what)
  const status = outcome === 'created' ? 201 : outcome === 'deleted' ? 202 : 200
  const warnings = outcome === 'deleted' ? [] : await readWarnings(ports, item)
  const object = await objectOf(ports, item)
  return Response.json(warnings.length === 0 ? object : { ...object, warnings }, { status })
}

/** Of what the item has to do with. */
async function readWarnings(ports: AdminApiPorts, item: SpecItem): Promise<readonly Reason[]> {
  if (item.noun === 'workload') return dataWarnings(item)
  const [teams, pools] = await Promise.all([readLive(ports, 'team'), readLive(ports, 'pool')])
  return warningsOf({ teams, pools })
}

async function recordChange(
  ports: AdminApiPorts,
  { outcome, item }: { outcome: 'created' | 'updated' | 'deleted'; item: SpecItem },
  what: string,
): Promise<void> {
  const reasons = { created: 'Created', updated: 'Updated', deleted: 'Deleted' } as const
  const reason = what === '' ? reasons[outcome] : 'Scaled'
  const text = what === '' ? `${outcome} (generation ${String(item.generation)})` : what
  await record(ports, { object: `${item.noun}/${item.name}`, reason, text })
}

/** The spec of a name that may be any text; what is no name cannot be there. */
async function readNamed(ports: AdminApiPorts, target: SpecName): Promise<SpecItem | undefined> {
  return isName(target.name) ? readSpec(ports, target) : undefined
}
