/**
 * The routes that ask about the herd as a whole: what a change would do, what it costs, what
 * happened.
 */
import type { Context, Hono } from 'hono'
import type { ProblemFault } from '#shared/protocol/api.ts'
import { planRequestSchema } from '#shared/protocol/api.ts'
import { identify, parseDocument, type Document } from '#shared/protocol/documents.ts'
import { faultsOf, isNotYet } from '#shared/protocol/faults.ts'
import { buildOpenApi } from '#shared/protocol/openapi.ts'
import { readBurnIns, readEvents } from '#shared/store/history.ts'
import { fittingPage } from './answer-size.ts'
import { burnInRecordAnswer, eventAnswer } from './answers.ts'
import { readSpec } from './change-spec.ts'
import { isDeleted } from './objects.ts'
import type { AdminApiPorts } from './ports.ts'
import { invalid } from './problem.ts'
import { readNeededBody, readPage } from './request.ts'
import { route } from './routing.ts'

export function addHerdRoutes(app: Hono, ports: AdminApiPorts): void {
  // Made when it is first asked for: a cold start need not wait for it.
  let openApi: string | undefined
  const headers = { 'content-type': 'application/json' }
  const { version } = ports
  route(app, '/healthz', { GET: () => Response.json({ status: 'ok', version }) })
  route(app, '/openapi.json', {
    GET: () => {
      openApi ??= JSON.stringify(buildOpenApi(version))
      return new Response(openApi, { headers })
    },
  })
  route(app, '/v1/plan', { POST: (context) => plan(ports, context) })
  route(app, '/v1/cost', { GET: async () => Response.json(await ports.cost()) })
  route(app, '/v1/repack', { GET: async () => Response.json(await ports.repack()) })
  route(app, '/v1/events', { GET: (context) => events(ports, context) })
  route(app, '/v1/burn-ins', { GET: (context) => burnIns(ports, context) })
}

async function plan(ports: AdminApiPorts, context: Context): Promise<Response> {
  const body = await readNeededBody(context.req.raw)
  if (!body.ok) return body.response
  const request = planRequestSchema.safeParse(body.value, { reportInput: true })
  if (!request.success) return invalid(faultsOf(request.error.issues, planRequestSchema))
  const documents: Document[] = []
  const faults: ProblemFault[] = []
  const seen = new Set<string>()
  for (const [index, value] of request.data.documents.entries()) {
    const parsed = await parseAny(ports, value)
    if (!parsed.ok) {
      for (const fault of parsed.faults) faults.push(within(`documents[${String(index)}]`, fault))
      continue
    }
    const { noun, name } = parsed.document
    if (seen.has(`${noun}/${name}`)) {
      const message = `must be there once: an earlier document is ${noun} ${name} too`
      faults.push({ path: `documents[${String(index)}].name`, message })
    }
    seen.add(`${noun}/${name}`)
    documents.push(parsed.document)
  }
  if (faults.length > 0) {
    return invalid(faults, faults.some(isNotYet) ? 'NotYetSupported' : 'Invalid')
  }
  return Response.json(await ports.planner(documents))
}

/** A document of any kind; an existing workload keeps its count, as it would when applied. */
async function parseAny(
  ports: AdminApiPorts,
  value: unknown,
): Promise<{ ok: true; document: Document } | { ok: false; faults: readonly ProblemFault[] }> {
  const who = identify(value)
  if (!who.ok) return who
  const standing = await readSpec(ports, who)
  const isLive = standing?.noun === 'workload' && !isDeleted(standing)
  const kept = isLive ? { count: standing.spec } : {}
  return parseDocument(value, { noun: who.noun, name: who.name, ...kept })
}

function within(outer: string, { path, message }: ProblemFault): ProblemFault {
  if (path === '' || path.startsWith('[')) return { path: `${outer}${path}`, message }
  return { path: `${outer}.${path}`, message }
}

async function events(ports: AdminApiPorts, context: Context): Promise<Response> {
  const page = readPage((name) => context.req.query(name))
  if (!page.ok) return page.response
  const { limit, after } = page.value
  const object = context.req.query('object') ?? ''
  const { items, next } = await readEvents(ports.history, {
    limit,
    nowMs: ports.clock.now(),
    ...(after !== undefined && { afterId: after }),
    ...(object !== '' && { where: (own) => own.object === object }),
  })
  return Response.json(fittingPage({ items: items.map(eventAnswer), next }, ({ id }) => id))
}

async function burnIns(ports: AdminApiPorts, context: Context): Promise<Response> {
  const page = readPage((name) => context.req.query(name))
  if (!page.ok) return page.response
  const { limit, after } = page.value
  const [pool, node, gpu] = ['pool', 'node', 'gpu'].map((name) => context.req.query(name) ?? '')
  const { items, next } = await readBurnIns(ports.history, {
    limit,
    nowMs: ports.clock.now(),
    ...(after !== undefined && { afterId: after }),
    where: (own) =>
      (pool === '' || own.pool === pool) &&
      (node === '' || own.node === node) &&
      (gpu === '' || own.gpus.includes(gpu ?? '')),
  })
  return Response.json(fittingPage({ items: items.map(burnInRecordAnswer), next }, ({ id }) => id))
}
