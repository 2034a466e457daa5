/**
 * The admin API: people's and CI's way in.
 *
 * It states wishes (specs, orders) and reads what the others wrote; it decides nothing about the
 * herd. Whatever a client sends is answered with a 2xx or a 4xx; a 503 says that the table could
 * not be reached, a 500 is a bug.
 */
import { Hono } from 'hono/quick'
import { describeError } from '#shared/base/errors.ts'
import { StoreError } from '#shared/store/store.ts'
import { addEndpointRoutes } from './endpoint-routes.ts'
import { addHardwareRoutes } from './hardware-routes.ts'
import { addHerdRoutes } from './herd-routes.ts'
import { addMetricRoutes } from './metric-routes.ts'
import { addNodeRoutes } from './node-routes.ts'
import type { AdminApiPorts } from './ports.ts'
import { notFound, problem } from './problem.ts'
import { addReplicaRoutes } from './replica-routes.ts'
import { addRolloutRoutes } from './rollout-routes.ts'
import { addSpecRoutes } from './spec-routes.ts'

/**
 * The whole API of API.md as one application, bound to its ports. Its router is the one that costs
 * least to set up, because a Lambda that starts cold answers one request and seldom thousands.
 */
export function makeAdminApi(ports: AdminApiPorts): Hono {
  const app = new Hono()
  app.use(async (context, next) => {
    await next()
    context.res.headers.set('cache-control', 'no-store')
  })
  addHerdRoutes(app, ports)
  addSpecRoutes(app, ports)
  addRolloutRoutes(app, ports)
  addMetricRoutes(app, ports)
  addNodeRoutes(app, ports)
  addReplicaRoutes(app, ports)
  addEndpointRoutes(app, ports)
  addHardwareRoutes(app, ports)
  app.notFound((context) => notFound(`path ${context.req.path.slice(0, 200).toWellFormed()}`))
  app.onError((error, context) => {
    const where = { method: context.req.method, path: context.req.path }
    ports.log.error('a request failed', { ...where, error: describeError(error) })
    return error instanceof StoreError ? unavailable() : broken()
  })
  return app
}

function unavailable(): Response {
  return problem({
    status: 503,
    code: 'StoreUnavailable',
    detail: 'the table could not be reached; try again',
    headers: { 'retry-after': '1' },
  })
}

function broken(): Response {
  return problem({
    status: 500,
    code: 'Internal',
    detail: 'this is a bug in drover; its log says more',
  })
}
