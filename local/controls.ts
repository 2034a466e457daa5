/**
 * The levers of local mode, over HTTP: what EC2 or bad luck would do, on request.
 *
 * They are outside the admin API on purpose. On AWS nobody has them, and nothing in drover may need
 * them.
 */
import { Hono, type Context } from 'hono'
import { z } from 'zod'
import { invalid, notFound, problem } from '#shared/controllers/admin-api/problem.ts'
import { readNeededBody, readRequest, type Read } from '#shared/controllers/admin-api/request.ts'
import { part, route } from '#shared/controllers/admin-api/routing.ts'
import type { ControlOutcome } from '#shared/cloud/memory-ec2/types.ts'
import { capacityTypeSchema } from '#shared/model/machine.ts'
import { faultsOf } from '#shared/protocol/faults.ts'
import type { LocalEc2, LocalInstance } from './ec2/local-ec2.ts'
import { hardwareSchema, type Hardware, type HardwareFault } from './hardware.ts'
import { addServiceRoutes } from './services.ts'
import type { LocalBalancer } from './balancer/local-balancer.ts'
import { deliverSchema, type Weather } from './weather.ts'

export type ControlPorts = {
  readonly ec2: LocalEc2
  readonly weather: Weather
  readonly hardware: Hardware
  readonly balancer: LocalBalancer
  /** Has the kernels of machines that run complain of it. */
  readonly complain: (fault: HardwareFault) => void
}

const verbSchema = z.strictObject({ noticeSeconds: z.int().min(0).max(3_600).optional() })
type Verb = (ports: ControlPorts, instanceId: string, noticeSeconds?: number) => ControlOutcome

const VERBS: Readonly<Record<string, Verb>> = {
  interrupt: ({ ec2 }, id, noticeSeconds) => ec2.world.interrupt(id, noticeSeconds),
  rebalance: ({ ec2 }, id) => ec2.world.rebalance(id),
  kill: ({ ec2 }, id) => ec2.kill(id),
  hang: ({ ec2 }, id) => ec2.hang(id),
  impair: ({ ec2 }, id) => ec2.world.impair(id),
}

const faultSchema = z.strictObject({
  deliver: deliverSchema.optional(),
  ec2: z
    .strictObject({
      throttle: z.number().min(0).max(1).optional(),
      loseResponses: z.number().min(0).max(1).optional(),
    })
    .optional(),
  hardware: hardwareSchema.optional(),
})

/** Serves everything under /local/. */
export function makeControls(ports: ControlPorts): Hono {
  const app = new Hono()
  const { world } = ports.ec2
  route(app, '/local/instances', {
    GET: () => Response.json({ items: ports.ec2.instances().map(instanceAnswer) }),
  })
  for (const [name, verb] of Object.entries(VERBS)) {
    route(app, `/local/instances/:id/${name}`, {
      POST: (context) => pull(ports, verb, context),
    })
  }
  route(app, '/local/market', { POST: (context) => setMarket(ports, context) })
  route(app, '/local/faults', {
    GET: () => Response.json(faultsAnswer(ports)),
    POST: async (context) => {
      const read = await readBodyOf(context, faultSchema)
      if (!read.ok) return read.response
      const { deliver, ec2, hardware } = read.value
      if (deliver !== undefined) ports.weather.set(deliver)
      if (ec2 !== undefined) {
        world.setFaults({
          ...(ec2.throttle === undefined ? {} : { throttleRate: ec2.throttle }),
          ...(ec2.loseResponses === undefined ? {} : { loseResponsesRate: ec2.loseResponses }),
        })
      }
      if (hardware !== undefined) {
        ports.hardware.set(hardware)
        ports.complain(hardware)
      }
      return Response.json(faultsAnswer(ports))
    },
  })
  addServiceRoutes(app, ports.balancer)
  app.notFound((context) => notFound(`path ${context.req.path.slice(0, 200).toWellFormed()}`))
  return app
}

async function pull(ports: ControlPorts, verb: Verb, context: Context): Promise<Response> {
  const read = await readRequest(context.req.raw, verbSchema)
  if (!read.ok) return read.response
  const id = part(context, 'id')
  const outcome = verb(ports, id, read.value.noticeSeconds)
  if (!outcome.done) return refused(outcome)
  const instance = ports.ec2.instances().find((own) => own.instanceId === id)
  if (instance === undefined) return notFound(`instance ${id}`)
  return Response.json(instanceAnswer(instance), { status: 202 })
}

async function setMarket({ ec2 }: ControlPorts, context: Context): Promise<Response> {
  const { zones, instanceTypes } = ec2.world.options
  const schema = z
    .strictObject({
      instanceType: z.string().refine((name) => instanceTypes.some((own) => own.name === name), {
        error: 'must be an instance type of the catalogue',
      }),
      zone: z.enum(zones as [string, ...string[]]),
      capacityType: capacityTypeSchema,
      capacity: z.int().min(0).max(1_000_000).optional(),
      priceUsdPerHour: z.number().positive().max(10_000).optional(),
    })
    .refine((own) => own.capacity !== undefined || own.priceUsdPerHour !== undefined, {
      error: 'needs a capacity, a priceUsdPerHour, or both',
    })
  const read = await readBodyOf(context, schema)
  if (!read.ok) return read.response
  const { instanceType, zone, capacityType, capacity, priceUsdPerHour } = read.value
  const place = { instanceType, zone, capacityType }
  const outcome = ec2.world.setOffering({
    ...place,
    ...(capacity === undefined ? {} : { capacity }),
    ...(priceUsdPerHour === undefined ? {} : { priceUsdPerHour }),
  })
  if (!outcome.done) return refused(outcome)
  const now = ec2.world
    .offerings()
    .find(
      (own) =>
        own.instanceType === instanceType && own.zone === zone && own.capacityType === capacityType,
    )
  return Response.json({ ...place, capacity: now?.capacity, priceUsdPerHour: now?.priceUsdPerHour })
}

/** As the admin API reads bodies, and one that is missing is a fault. */
async function readBodyOf<T extends z.ZodType>(
  context: Context,
  schema: T,
): Promise<Read<z.infer<T>>> {
  const body = await readNeededBody(context.req.raw)
  if (!body.ok) return body
  const parsed = schema.safeParse(body.value, { reportInput: true })
  if (parsed.success) return { ok: true, value: parsed.data }
  return { ok: false, response: invalid(faultsOf(parsed.error.issues, schema)) }
}

function refused({ code, text }: Extract<ControlOutcome, { done: false }>): Response {
  return problem({ status: code === 'NotFound' ? 404 : 409, code, detail: text })
}

function faultsAnswer({ ec2, weather, hardware }: ControlPorts): object {
  const { throttleRate, loseResponsesRate } = ec2.world.dump().faults
  return {
    deliver: weather.faults(),
    ec2: { throttle: throttleRate, loseResponses: loseResponsesRate },
    hardware: hardware.all(),
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()

function instanceAnswer(instance: LocalInstance): object {
  const { instanceId, instanceType, zone, capacityType, state, priceUsdPerHour, tags } = instance
  return {
    ...{ instanceId, instanceType, zone, capacityType, state, priceUsdPerHour },
    up: instance.up,
    impaired: instance.impaired,
    launchedAt: iso(instance.launchedAtMs),
    tags,
    ...(instance.agentPid === undefined ? {} : { agentPid: instance.agentPid }),
    ...(instance.interruption === undefined ? {} : { endsAt: iso(instance.interruption.atMs) }),
  }
}
