import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { gatewayRegion, makeSign } from '#cli/adapters/sign.ts'
import { makeHttp, type Sign } from '#cli/adapters/http.ts'

const NOW_MS = Date.UTC(2026, 10, 22, 10, 0, 0)
const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'a-session-token',
}
const GATEWAY = new URL('https://abc123.execute-api.eu-west-1.amazonaws.com')

const sign = makeSign({
  region: 'eu-west-1',
  now: () => NOW_MS,
  credentials: () => Promise.resolve(CREDENTIALS),
})

describe('gatewayRegion', () => {
  it('reads the region out of an API Gateway address, and of no other', () => {
    expect(gatewayRegion(GATEWAY)).toBe('eu-west-1')
    expect(gatewayRegion(new URL('https://x.execute-api.cn-north-1.amazonaws.com.cn/p'))).toBe(
      'cn-north-1',
    )
    for (const url of [
      'http://127.0.0.1:8787',
      'https://execute-api.eu-west-1.amazonaws.com.evil.example',
      'https://abc.execute-api.eu-west-1.example.com',
    ]) {
      expect(gatewayRegion(new URL(url)), url).toBeUndefined()
    }
  })
})

describe('makeSign', () => {
  it('adds the headers of signature version 4', async () => {
    const headers = await sign({
      method: 'PUT',
      url: new URL('https://abc123.execute-api.eu-west-1.amazonaws.com/v1/workloads/web?limit=5'),
      headers: { 'content-type': 'application/json' },
      body: '{"kind":"Workload"}',
    })
    const { authorization, ...others } = headers
    expect(others).toEqual({
      'content-type': 'application/json',
      'x-amz-content-sha256': '3e994f6ef82bb24a1b0007244106ba36b1571d7b7682d288d42e491d1f029f4c',
      'x-amz-date': '20261122T100000Z',
      'x-amz-security-token': 'a-session-token',
    })
    expect(authorization?.split(/[ ,]+/)).toEqual([
      'AWS4-HMAC-SHA256',
      'Credential=AKIDEXAMPLE/20261122/eu-west-1/execute-api/aws4_request',
      'SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token',
      'Signature=f3d2789d84b98529e1f6d18155d005a8b51ef7ae205eb6a91f3c7f9bb9b00da9',
    ])
  })

  it('comes to the signature that the rules of version 4 give, written out by hand', async () => {
    const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
    const mac = (key: string | Buffer, text: string): Buffer =>
      createHmac('sha256', key).update(text).digest()
    const [day, moment, body] = ['20261122', '20261122T100000Z', '{}']
    const signed = 'content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token'
    const canonical = [
      'POST',
      '/prod/v1/nodes/n-1/terminate',
      'force=true&x=a%20b',
      'content-type:application/json',
      `host:${GATEWAY.host}`,
      `x-amz-content-sha256:${hash(body)}`,
      `x-amz-date:${moment}`,
      `x-amz-security-token:${CREDENTIALS.sessionToken}`,
      '',
      signed,
      hash(body),
    ].join('\n')
    const scope = `${day}/eu-west-1/execute-api/aws4_request`
    const text = ['AWS4-HMAC-SHA256', moment, scope, hash(canonical)].join('\n')
    const key = [day, 'eu-west-1', 'execute-api', 'aws4_request'].reduce<string | Buffer>(
      mac,
      `AWS4${CREDENTIALS.secretAccessKey}`,
    )
    const headers = await sign({
      method: 'POST',
      url: new URL('/prod/v1/nodes/n-1/terminate?x=a+b&force=true', GATEWAY),
      headers: { 'content-type': 'application/json' },
      body,
    })
    expect(headers['authorization']).toContain(`Signature=${mac(key, text).toString('hex')}`)
  })

  it('signs what is sent: any other body, path, query, method or moment shows', async () => {
    const request = {
      method: 'PUT',
      url: new URL('/v1/pools/a?x=1', GATEWAY),
      headers: {},
      body: 'a',
    } as const
    const of = async (own: Parameters<Sign>[0], by: Sign = sign): Promise<string | undefined> =>
      (await by(own))['authorization']
    const later = makeSign({
      region: 'eu-west-1',
      now: () => NOW_MS + 1000,
      credentials: () => Promise.resolve(CREDENTIALS),
    })
    const signatures = await Promise.all([
      of(request),
      of({ ...request, body: 'b' }),
      of({ ...request, body: undefined }),
      of({ ...request, url: new URL('/v1/pools/b?x=1', GATEWAY) }),
      of({ ...request, url: new URL('/v1/pools/a?x=2', GATEWAY) }),
      of({ ...request, method: 'DELETE' }),
      of(request, later),
    ])
    expect(new Set(signatures).size).toBe(signatures.length)
  })

  it('says what to do without credentials', async () => {
    const none = makeSign({
      region: 'eu-west-1',
      now: () => NOW_MS,
      credentials: () => Promise.reject(new Error('Could not load credentials')),
    })
    await expect(
      none({ method: 'GET', url: GATEWAY, headers: {}, body: undefined }),
    ).rejects.toThrow(/NoCredentials: .*AWS_PROFILE/)
  })
})

describe('makeHttp', () => {
  it('signs every try anew', async () => {
    const sent: Record<string, string>[] = []
    let tries = 0
    const http = makeHttp({
      url: GATEWAY,
      sign: async (request) => ({ ...(await sign(request)), 'x-try': String((tries += 1)) }),
      world: {
        clock: { now: () => NOW_MS, sleep: () => Promise.resolve() },
        interrupted: new AbortController().signal,
        fetch: (_url, init) => {
          sent.push(init?.headers as Record<string, string>)
          return Promise.resolve(new Response('{}', { status: sent.length === 1 ? 503 : 200 }))
        },
      },
    })
    expect(await http({ method: 'GET', path: '/v1/nodes' })).toEqual({ status: 200, body: {} })
    expect(sent.map((headers) => headers['x-try'])).toEqual(['1', '2'])
    expect(sent[0]?.['authorization']).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20261122\/eu-west-1\/execute-api\/aws4_request, /,
    )
  })
})
