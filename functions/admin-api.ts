/**
 * Lambda `admin-api`: one HTTP request of API Gateway (payload 2.0), answered by the admin API.
 */
import type {
  APIGatewayProxyEventV2,
  APIGatewayProxyEventV2WithIAMAuthorizer,
  APIGatewayProxyStructuredResultV2,
} from 'aws-lambda'
import type { Hono } from 'hono'
import manifest from '../package.json' with { type: 'json' }
import { requireJson, requireVariable, type Environment } from '#shared/base/environment.ts'
import { makeLogger } from '#shared/base/log.ts'
import { makeRandomIds } from '#shared/cloud/aws/random-ids.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import { makeAdminApi } from '#shared/controllers/admin-api/app.ts'
import type { AdminApiPorts } from '#shared/controllers/admin-api/ports.ts'
import { problem } from '#shared/controllers/admin-api/problem.ts'
import type { Caller } from '#shared/controllers/admin-api/writers.ts'
import { makeForesight } from '#shared/controllers/foresight.ts'
import { launchSettingsSchema } from '#shared/controllers/launch-settings.ts'
import { planSettingsOf, snapshotSettingsOf } from '#shared/controllers/plan-settings.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'

export type AdminApiHandler = (
  event: APIGatewayProxyEventV2,
) => Promise<APIGatewayProxyStructuredResultV2>

/** Never throws for what a client sent: API Gateway would make a 500 of it. */
export function makeHandler(app: Pick<Hono, 'fetch'>): AdminApiHandler {
  return async (event) => {
    const request = requestOf(event)
    const caller: Caller = { arn: arnOf(event) }
    const response = request === undefined ? unreadable() : await app.fetch(request, { caller })
    return {
      statusCode: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
      isBase64Encoded: false,
    }
  }
}

/** Who IAM let in, as API Gateway tells it. */
function arnOf({ requestContext }: APIGatewayProxyEventV2): string | undefined {
  const { authorizer } = requestContext as Partial<
    APIGatewayProxyEventV2WithIAMAuthorizer['requestContext']
  >
  return authorizer?.iam.userArn
}

/** Undefined where no request can be made of it: a method or a header that the platform refuses. */
function requestOf(event: APIGatewayProxyEventV2): Request | undefined {
  const { method } = event.requestContext.http
  const url = new URL('https://drover')
  url.pathname = event.rawPath
  url.search = event.rawQueryString
  const bodyless = method === 'GET' || method === 'HEAD' || event.body === undefined
  const encoding = event.isBase64Encoded ? 'base64' : 'utf8'
  try {
    const headers = new Headers()
    for (const [name, value] of Object.entries(event.headers)) headers.set(name, value ?? '')
    return new Request(url, {
      method,
      headers,
      ...(bodyless ? {} : { body: Buffer.from(event.body ?? '', encoding) }),
    })
  } catch {
    return undefined
  }
}

function unreadable(): Response {
  return problem({
    status: 400,
    code: 'MalformedRequest',
    detail: 'the method or a header of the request is not one of HTTP',
  })
}

export function bindPorts(environment: Environment): AdminApiPorts {
  const log = makeLogger((line) => process.stdout.write(`${line}\n`))
  const clock = makeSystemClock()
  const storeOf = (variable: string): AdminApiPorts['store'] =>
    makeDynamoStore({ client: {}, tableName: requireVariable(environment, variable), log })
  const store = storeOf('DROVER_TABLE')
  const launch = requireJson(environment, 'DROVER_LAUNCH', (value) =>
    launchSettingsSchema.parse(value),
  )
  const foresight = makeForesight({
    ...{ store, clock, log },
    ...{ solver: loadSolver, budget: BUDGETS['5s'] },
    settings: snapshotSettingsOf(planSettingsOf(environment), launch),
  })
  return {
    store,
    history: storeOf('DROVER_HISTORY_TABLE'),
    clock,
    ids: makeRandomIds(),
    log,
    planner: foresight.planner,
    cost: foresight.cost,
    repack: foresight.repack,
    version: manifest.version,
  }
}

let bound: AdminApiHandler | undefined

export const handler: AdminApiHandler = (event) => {
  bound ??= makeHandler(makeAdminApi(bindPorts(process.env)))
  return bound(event)
}
