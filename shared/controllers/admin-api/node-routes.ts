/**
 * The routes of the herd itself: nodes, what a person orders of them, and the brakes on what
 * drover may condemn by itself.
 *
 * An order is a wish in the table, not an act: reconcile carries it out. Repeating one changes
 * nothing.
 */
import type { Context, Hono } from 'hono'
import { orderSchema, type Order } from '#shared/model/facts.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { nodeVerbRequestSchema } from '#shared/protocol/api.ts'
import { keys } from '#shared/store/keys.ts'
import { fittingPage } from './answer-size.ts'
import { nodeAnswer, isoOf } from './answers.ts'
import { isName, nameOf, readSpec } from './change-spec.ts'
import { parseItem, readNode, readNodePage, readNodes, readPartition } from './herd.ts'
import { isDeleted, objectOf } from './objects.ts'
import type { AdminApiPorts } from './ports.ts'
import { notFound } from './problem.ts'
import { record } from './record.ts'
import { readBody, readFlag, readPage, readRequest } from './request.ts'
import { part, route } from './routing.ts'

const ORDERS = ['cordon', 'drain', 'retest', 'terminate'] as const
type OrderVerb = (typeof ORDERS)[number]

export function addNodeRoutes(app: Hono, ports: AdminApiPorts): void {
  route(app, '/v1/nodes', { GET: (context) => list(ports, context) })
  route(app, '/v1/nodes/:name', { GET: (context) => show(ports, context) })
  for (const verb of ORDERS) {
    route(app, `/v1/nodes/:name/${verb}`, { POST: (context) => order(ports, verb, context) })
  }
  route(app, '/v1/nodes/:name/uncordon', { POST: (context) => withdraw(ports, context) })
  route(app, '/v1/pools/:name/release-brake', { POST: (context) => release(ports, context) })
  route(app, '/v1/sweep/allow', { POST: (context) => allowSweep(ports, context) })
}

async function list(ports: AdminApiPorts, context: Context): Promise<Response> {
  const page = readPage((name) => context.req.query(name))
  if (!page.ok) return page.response
  const { views, next } = await readNodePage(ports, page.value)
  return Response.json(fittingPage({ items: views.map(nodeAnswer), next }, ({ name }) => name))
}

async function show(ports: AdminApiPorts, context: Context): Promise<Response> {
  return answerNode(ports, part(context, 'name'), 200)
}

async function order(ports: AdminApiPorts, verb: OrderVerb, context: Context): Promise<Response> {
  const force = readFlag('force', verb === 'terminate' ? context.req.query('force') : undefined)
  if (!force.ok) return force.response
  const wanted = await readRequest(context.req.raw, nodeVerbRequestSchema)
  if (!wanted.ok) return wanted.response
  const name = part(context, 'name')
  if (!(await nodeExists(ports, name))) return noNode(name)
  const deadlineSeconds = wanted.value.deadlineSeconds ?? LIMITS.drainDefaultMs / 1000
  const placed = await place(ports, {
    kind: 'order',
    target: 'node',
    name,
    verb,
    force: force.value,
    deadlineSeconds,
    atMs: ports.clock.now(),
  })
  if (placed) {
    const text = force.value ? `${verb}, by force` : verb
    await record(ports, { object: `node/${name}`, reason: 'Ordered', text })
  }
  await forgetOrdersOfGoneNodes(ports)
  return answerNode(ports, name, 202)
}

async function withdraw(ports: AdminApiPorts, context: Context): Promise<Response> {
  const wanted = await readRequest(context.req.raw, nodeVerbRequestSchema)
  if (!wanted.ok) return wanted.response
  const name = part(context, 'name')
  if (!(await nodeExists(ports, name))) return noNode(name)
  const key = keys.order('node', name)
  const standing = parseItem(ports, orderSchema, await ports.store.get(key))
  if (standing !== undefined) {
    await ports.store.write({ kind: 'delete', key })
    const text = `${standing.verb} withdrawn`
    await record(ports, { object: `node/${name}`, reason: 'OrderWithdrawn', text })
  }
  return answerNode(ports, name, 202)
}

async function release(ports: AdminApiPorts, context: Context): Promise<Response> {
  const body = await readBody(context.req.raw)
  if (!body.ok) return body.response
  const name = part(context, 'name')
  const pool = isName(name) ? await readSpec(ports, { noun: 'pool', name }) : undefined
  if (pool === undefined || isDeleted(pool)) return notFound(nameOf({ noun: 'pool', name }))
  const atMs = ports.clock.now()
  await put(ports, { kind: 'order', target: 'pool', name, verb: 'release-brake', atMs })
  const text = 'the brake is released for one window'
  await record(ports, { object: `pool/${name}`, reason: 'BrakeReleased', text })
  return Response.json(await objectOf(ports, pool), { status: 202 })
}

async function allowSweep(ports: AdminApiPorts, context: Context): Promise<Response> {
  const body = await readBody(context.req.raw)
  if (!body.ok) return body.response
  const atMs = ports.clock.now()
  const verb = 'sweep-allow'
  await put(ports, { kind: 'order', target: 'sweep', name: 'sweep', verb, atMs })
  const text = 'a sweep may end machines that the table does not know'
  await record(ports, { object: 'sweep/sweep', reason: 'SweepAllowed', text })
  return Response.json({ order: { verb, at: isoOf(atMs) } }, { status: 202 })
}

/** False when the same order stands already: its time is when it was first given. */
async function place(ports: AdminApiPorts, wanted: Order & { target: 'node' }): Promise<boolean> {
  const item = await ports.store.get(keys.order('node', wanted.name))
  const standing = parseItem(ports, orderSchema, item)
  if (
    standing?.target === 'node' &&
    standing.verb === wanted.verb &&
    standing.force === wanted.force &&
    standing.deadlineSeconds === wanted.deadlineSeconds &&
    !(await isDone(ports, standing))
  ) {
    return false
  }
  await put(ports, wanted)
  return true
}

/** A re-test that was carried out may be asked for again. */
async function isDone(ports: AdminApiPorts, order: Order): Promise<boolean> {
  if (order.verb !== 'retest') return false
  return (await readNode(ports, order.name))?.node.doneOrderAtMs === order.atMs
}

async function put(ports: AdminApiPorts, order: Order): Promise<void> {
  await ports.store.write({
    kind: 'put',
    item: { ...keys.order(order.target, order.name), ...order },
  })
}

/**
 * An order outlives its node, and only its writer may delete it. Names of nodes are never used
 * again, so whatever names none is litter. Orders stand before nodes are read: a new node's cannot
 * be among them.
 */
async function forgetOrdersOfGoneNodes(ports: AdminApiPorts): Promise<void> {
  const items = await readPartition(ports.store, keys.order('node', '').pk, 'node#')
  const names = new Set((await readNodes(ports)).map((node) => node.name))
  const orders = items.flatMap((item) => parseItem(ports, orderSchema, item) ?? [])
  for (const { name } of orders.filter((own) => !names.has(own.name))) {
    await ports.store.write({ kind: 'delete', key: keys.order('node', name) })
  }
}

/** Longer than any name reconcile makes: `<pool>-<epoch>-<n>`. */
const NODE_NAME = /^[a-z0-9-]{1,120}$/

async function nodeExists(ports: AdminApiPorts, name: string): Promise<boolean> {
  return NODE_NAME.test(name) && (await ports.store.get(keys.node(name))) !== undefined
}

async function answerNode(
  ports: AdminApiPorts,
  name: string,
  status: 200 | 202,
): Promise<Response> {
  const view = NODE_NAME.test(name) ? await readNode(ports, name) : undefined
  return view === undefined ? noNode(name) : Response.json(nodeAnswer(view), { status })
}

const noNode = (name: string): Response =>
  notFound(`node ${JSON.stringify(name.slice(0, 120).toWellFormed())}`)
