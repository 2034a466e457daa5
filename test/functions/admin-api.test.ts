import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { describe, expect, it } from 'vitest'
import { bindPorts, makeHandler } from '#functions/admin-api.ts'
import { makeWorld, WEB } from '../controllers/admin-api/world.ts'

type Sent = {
  method: string
  path: string
  query?: string
  body?: string
  base64?: boolean
  userArn?: string
}

function eventOf(sent: Sent): APIGatewayProxyEventV2 {
  const { method, path, query = '', body, base64 = false, userArn } = sent
  const authorizer = userArn === undefined ? {} : { authorizer: { iam: { userArn } } }
  const event = {
    version: '2.0',
    rawPath: path,
    rawQueryString: query,
    headers: { 'content-type': 'application/json' } as Record<string, string>,
    requestContext: { http: { method, path }, ...authorizer },
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

  it('lets a team be written by its principals alone, as IAM knows them', async () => {
    const handler = makeHandler(makeWorld().app)
    const put = async (path: string, document: object, userArn?: string): Promise<unknown> => {
      const sent = { method: 'PUT', path, body: JSON.stringify(document) }
      const answer = await handler(eventOf({ ...sent, ...(userArn && { userArn }) }))
      return { ...(JSON.parse(answer.body ?? '{}') as object), status: answer.statusCode }
    }
    const principals = ['arn:aws:iam::123456789012:role/ci/Search']
    await put('/v1/teams/search', { kind: 'Team', name: 'search', principals })
    const web = { ...WEB, team: 'search' }
    const session = 'arn:aws:sts::123456789012:assumed-role/Search/build-7'
    expect(await put('/v1/workloads/web', web, session)).toMatchObject({ status: 201 })
    for (const other of [
      'arn:aws:sts::123456789012:assumed-role/Searcher/build-7',
      'arn:aws:sts::999999999999:assumed-role/Search/build-7',
      'arn:aws:iam::123456789012:user/Search',
      undefined,
    ]) {
      expect(await put('/v1/workloads/web', web, other)).toMatchObject({
        ...{ status: 403, code: 'NotPrincipal' },
        detail: expect.stringMatching(/only the principals of team search write its workloads/),
      })
    }
    // Nor is a workload taken out of the team, nor given to it.
    expect(await put('/v1/workloads/web', WEB, 'arn:aws:iam::123456789012:user/x')).toMatchObject({
      status: 403,
    })
    const remove = { method: 'DELETE', path: '/v1/workloads/web' }
    expect(await handler(eventOf(remove))).toMatchObject({ statusCode: 403 })
    expect(await handler(eventOf({ ...remove, userArn: session }))).toMatchObject({
      statusCode: 202,
    })
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
