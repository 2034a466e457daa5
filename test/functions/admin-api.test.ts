import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { describe, expect, it } from 'vitest'
import { bindPorts, makeHandler } from '#functions/admin-api.ts'
import { makeWorld, WEB } from '../controllers/admin-api/world.ts'

type Sent = { method: string; path: string; query?: string; body?: string; base64?: boolean }

function eventOf({ method, path, query = '', body, base64 = false }: Sent): APIGatewayProxyEventV2 {
  const event = {
    version: '2.0',
    rawPath: path,
    rawQueryString: query,
    headers: { 'content-type': 'application/json' } as Record<string, string>,
    requestContext: { http: { method, path } },
    isBase64Encoded: base64,
    ...(body === undefined ? {} : { body }),
  }
  return event as unknown as APIGatewayProxyEventV2
}

describe('the Lambda', () => {
  it('answers API Gateway with the application’s answer', async () => {
    const handler = makeHandler(makeWorld().app)
    const put = { method: 'PUT', path: '/v1/workloads/web', body: JSON.stringify(WEB) }
    const created = await handler(eventOf(put))
    expect(created).toMatchObject({ statusCode: 201, isBase64Encoded: false })
    expect(created.headers?.['content-type']).toBe('application/json')
    const body = Buffer.from(put.body).toString('base64')
    expect(await handler(eventOf({ ...put, body, base64: true }))).toMatchObject({
      statusCode: 200,
    })
    const list = await handler(eventOf({ method: 'GET', path: '/v1/workloads', query: 'limit=1' }))
    expect(JSON.parse(list.body ?? '')).toMatchObject({ items: [{ name: 'web' }] })
  })

  it('makes a 4xx of what is no request', async () => {
    const handler = makeHandler(makeWorld().app)
    const status = async (sent: Sent): Promise<number | undefined> =>
      (await handler(eventOf(sent))).statusCode
    expect(await status({ method: 'TRACE', path: '/healthz' })).toBe(400)
    expect(await status({ method: 'GET', path: '/healthz', body: '{}' })).toBe(200)
    expect(await status({ method: 'GET', path: '//v1//%zz?#\u0000' })).toBe(404)
    const odd = eventOf({ method: 'GET', path: '/healthz' })
    odd.headers = { 'x-odd': 'line\nbreak' }
    expect((await handler(odd)).statusCode).toBe(400)
  })

  it('says which setting is missing', () => {
    expect(() => bindPorts({})).toThrow(/DROVER_TABLE: is not set/)
    const tables = { DROVER_TABLE: 'a', DROVER_HISTORY_TABLE: 'b' }
    expect(() => bindPorts(tables)).toThrow(/DROVER_LAUNCH: is not set/)
  })
})
