/**
 * The routes about hardware: what burn-in remembers of a GPU, and a person's word against it.
 *
 * The memory is burn-in's own. Who clears a device states a wish beside it, about that very
 * rejection: should the device fail again, it is rejected anew.
 */
import type { Context, Hono } from 'hono'
import { orderSchema, type HardwareOrder } from '#shared/model/facts.ts'
import { hardwareSchema, isHeldAgainst, type Hardware } from '#shared/model/hardware.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { HardwareAnswer } from '#shared/protocol/hardware-answer.ts'
import { historyKeys, keys } from '#shared/store/keys.ts'
import { isoOf } from './answers.ts'
import { parseItem } from './herd.ts'
import type { AdminApiPorts } from './ports.ts'
import { notFound } from './problem.ts'
import { record } from './record.ts'
import { readBody } from './request.ts'
import { part, route } from './routing.ts'

export function addHardwareRoutes(app: Hono, ports: AdminApiPorts): void {
  route(app, '/v1/hardware/:id', { GET: (context) => show(ports, context) })
  route(app, '/v1/hardware/:id/clear', { POST: (context) => clear(ports, context) })
}

/** A UUID of NVIDIA's, or the id of a set of them. */
const HARDWARE_ID = /^(GPU-[0-9a-f-]{36}|set:[0-9a-f]{16})$/

type View = { readonly known: Hardware; readonly cleared: HardwareOrder | undefined }

async function read(ports: AdminApiPorts, id: string): Promise<View | undefined> {
  if (!HARDWARE_ID.test(id)) return undefined
  const item = await ports.history.get(historyKeys.hardware(id))
  const known = parseItem(ports, hardwareSchema, item)
  if (known === undefined) return undefined
  const order = parseItem(ports, orderSchema, await ports.store.get(keys.order('hardware', id)))
  const isAbout = order?.target === 'hardware' && order.rejectedAtMs === known.atMs
  return { known, cleared: isAbout ? order : undefined }
}

async function show(ports: AdminApiPorts, context: Context): Promise<Response> {
  const id = part(context, 'id')
  const view = await read(ports, id)
  return view === undefined ? noHardware(id) : Response.json(answerOf(ports, view))
}

async function clear(ports: AdminApiPorts, context: Context): Promise<Response> {
  const body = await readBody(context.req.raw)
  if (!body.ok) return body.response
  const id = part(context, 'id')
  const view = await read(ports, id)
  if (view === undefined) return noHardware(id)
  const { known } = view
  const atMs = ports.clock.now()
  if (!isHeldAgainst(known, { cleared: view.cleared, nowMs: atMs })) {
    return Response.json(answerOf(ports, view), { status: 202 })
  }
  const cleared: HardwareOrder = {
    ...{ kind: 'order', target: 'hardware', name: id, verb: 'clear' },
    ...{ rejectedAtMs: known.atMs, atMs },
  }
  // By then the rejection counts no more, with or without a person's word.
  const ttl = Math.ceil((atMs + LIMITS.hardwareRejectedMs) / 1000)
  await ports.store.write({ kind: 'put', item: { ...keys.order('hardware', id), ...cleared, ttl } })
  const text = `cleared though it failed in ${known.node}: ${known.text}`
  await record(ports, { object: `hardware/${id}`, reason: 'HardwareCleared', text })
  return Response.json(answerOf(ports, { known, cleared }), { status: 202 })
}

function answerOf({ clock }: AdminApiPorts, { known, cleared }: View): HardwareAnswer {
  const { kind: _, arn: _arn, atMs, ...told } = known
  return {
    ...told,
    refused: isHeldAgainst(known, { cleared, nowMs: clock.now() }),
    at: isoOf(atMs),
    ...(cleared === undefined ? {} : { clearedAt: isoOf(cleared.atMs) }),
  }
}

const noHardware = (id: string): Response =>
  notFound(`hardware ${JSON.stringify(id.slice(0, 120).toWellFormed())}`)
