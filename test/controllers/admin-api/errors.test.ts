import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { problemSchema } from '#shared/protocol/api.ts'
import { OPERATIONS } from '#shared/protocol/operations.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import { StoreError, type Store } from '#shared/store/store.ts'
import { addNode, makeWorld, WEB, type World } from './world.ts'

describe('methods', () => {
  it('that a path does not know are a 405 with Allow', async () => {
    const world = makeWorld()
    for (const [method, path, allow] of [
      ['PATCH', '/v1/workloads/web', 'GET, HEAD, PUT, DELETE, OPTIONS'],
      ['DELETE', '/v1/nodes', 'GET, HEAD, OPTIONS'],
      ['BREW', '/v1/plan', 'POST, OPTIONS'],
      ['GET', '/v1/workloads/web/scale', 'POST, OPTIONS'],
    ] as const) {
      const answer = await world.send(method, path)
      expect([path, answer.status, answer.headers.get('allow')]).toEqual([path, 405, allow])
      expect(problemSchema.parse(answer.body).code).toBe('MethodNotAllowed')
    }
  })

  it('OPTIONS tells them, HEAD is a GET without its body', async () => {
    const world = makeWorld()
    const options = await world.send('OPTIONS', '/v1/cost')
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS'])
    expect(await world.send('HEAD', '/healthz')).toMatchObject({ status: 200, body: undefined })
    expect(await world.send('HEAD', '/v1/teams/none')).toMatchObject({ status: 404 })
  })

  it('every documented operation is served, and nothing else', () => {
    const { app } = makeWorld()
    const served = app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path.replace(/:(name|id|metric)/g, '{$1}')}`)
    const documented = OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    expect([...new Set(served)].sort()).toEqual(documented.sort())
  })
})

describe('bodies', () => {
  const put = (world: World, body: string, type = 'application/json'): ReturnType<World['send']> =>
    world.send('PUT', '/v1/workloads/web', body, { 'content-type': type })

  it('that are not JSON are a 415, by their type', async () => {
    const world = makeWorld()
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/yaml']) {
      expect((await put(world, JSON.stringify(WEB), type)).status).toBe(415)
    }
    for (const type of ['application/json; charset=utf-8', 'application/vnd.drover+json']) {
      expect((await put(world, JSON.stringify(WEB), type)).status).toBeLessThan(300)
    }
  })

  it('that do not parse are a 400', async () => {
    const world = makeWorld()
    for (const body of ['{', '', '  ', '{"a":1,}', 'NaN', "{'a': 1}"]) {
      const answer = await put(world, body)
      expect([body, answer.status, answer.headers.get('content-type')]).toEqual([
        body,
        400,
        'application/problem+json',
      ])
    }
  })

  it('that are not UTF-8 are a 400', async () => {
    const { app } = makeWorld()
    const headers = { 'content-type': 'application/json' }
    const body = new Uint8Array([0x7b, 0xff, 0x7d])
    const response = await app.request('/v1/teams/a', { method: 'PUT', headers, body })
    expect(response.status).toBe(400)
  })

  it('that nest without end are a 400, however long', async () => {
    const world = makeWorld()
    for (const depth of [LIMITS.bodyMaxDepth + 1, 400_000]) {
      const answer = await put(world, `{"env":${'['.repeat(depth)}${']'.repeat(depth)}}`)
      expect(answer).toMatchObject({ status: 400, body: { code: 'TooDeep' } })
    }
    expect((await put(world, JSON.stringify({ ...WEB, env: { A: '['.repeat(99) } }))).status).toBe(
      201,
    )
  })

  it('that are too large are a 413, whether they say so or not', async () => {
    const { app } = makeWorld()
    const large = ' '.repeat(10_000_000)
    const headers = { 'content-type': 'application/json' }
    const told = await app.request('/v1/teams/a', {
      method: 'PUT',
      headers: { ...headers, 'content-length': '10000000' },
      body: large,
    })
    expect(told.status).toBe(413)
    const untold = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
    })
    const init = { method: 'PUT', headers, body: untold, duplex: 'half' } as RequestInit
    expect((await app.request('/v1/teams/a', init)).status).toBe(413)
  })

  it('hold nothing that the table or a process could not', async () => {
    const world = makeWorld()
    for (const [body, path] of [
      ['{"replicas":1,"command":["a\\u0000"]}', 'command[0]'],
      ['{"replicas":1,"command":["\\ud800"]}', 'command[0]'],
      ['{"replicas":1e999,"command":["a"]}', 'replicas'],
      ['{"replicas":1,"command":["a"],"__proto__":{"x":1}}', '__proto__'],
      ['{"replicas":1,"command":["a"],"env":{"__proto__":"x"}}', 'env.__proto__'],
      ['{"replicas":1,"command":["a"],"env":{"":"x"}}', 'env[""]'],
      [
        `{"replicas":1,"command":["a"],"resources":{"memory":"${'9'.repeat(400)}"}}`,
        'resources.memory',
      ],
      [`{"replicas":1,"command":["${'a'.repeat(17_000)}"]}`, 'command'],
      [
        `{"replicas":1,"command":["a"],"placement":{"zones":["${'z'.repeat(70_000)}"]}}`,
        'placement',
      ],
    ]) {
      const answer = await put(world, body ?? '')
      expect(answer.status).toBe(422)
      expect(problemSchema.parse(answer.body).errors?.map((own) => own.path)).toContain(path)
    }
    expect(world.store.size()).toBe(0)
  })
})

describe('what is broken on our side', () => {
  it('is a 503 with Retry-After when the table is out of reach', async () => {
    const store = makeMemoryStore()
    const fail = (): never => {
      throw new StoreError({ text: 'timed out' })
    }
    const broken: Store = { ...store, get: fail, query: fail, getMany: fail }
    const world = makeWorld({ store: broken })
    for (const [method, path, body] of [
      ['GET', '/v1/nodes', undefined],
      ['PUT', '/v1/workloads/web', WEB],
      ['POST', '/v1/nodes/a/drain', undefined],
    ] as const) {
      const answer = await world.send(method, path, body)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
      expect(problemSchema.parse(answer.body).code).toBe('StoreUnavailable')
    }
    expect(world.log.join()).toContain('timed out')
  })

  it('is a 500 without inner details when it is a bug', async () => {
    const cost = (): never => {
      throw new TypeError('secret')
    }
    const world = makeWorld({ cost })
    const answer = await world.send('GET', '/v1/cost')
    expect(answer).toMatchObject({ status: 500, body: { code: 'Internal' } })
    expect(JSON.stringify(answer.body)).not.toContain('secret')
    expect(world.log.join()).toContain('secret')
  })
})

describe('whatever a client sends', () => {
  const segment = fc.oneof(
    fc.constantFrom('v1', 'workloads', 'pools', 'teams', 'nodes', 'web', 'general-1-1', 'scale'),
    fc.constantFrom('drain', 'explain', 'rollout', 'release-brake', 'events', 'replicas', 'plan'),
    fc.constantFrom('%', '%zz', '%00', '%ED%A0%80', '%2F', '..', '__proto__', 'constructor', ''),
    fc
      .string({ unit: 'binary', maxLength: 8 })
      .map((text) => encodeURIComponent(text.toWellFormed())),
  )
  const knownPath = fc.constantFrom(
    ...OPERATIONS.map(({ path }) => path.replace('{name}', 'web')),
    ...OPERATIONS.map(({ path }) => path.replace('{name}', 'general-1-1')),
  )
  const path = fc.oneof(
    knownPath,
    fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join('/')}`),
  )
  const query = fc.oneof(
    fc.constantFrom(
      '',
      '?limit=2',
      '?after=%00',
      '?limit=-1',
      '?after=%',
      '?object=%zz',
      '?force=1',
    ),
    fc.webQueryParameters().map((text) => `?${text}`),
  )
  const field = fc.constantFrom(
    'kind',
    'name',
    'replicas',
    'command',
    'env',
    'resources',
    'ports',
    'health',
    'rollout',
    'zones',
    'documents',
    'action',
    'deadlineSeconds',
    'placement',
    'spread',
    'instances',
    'quota',
    '__proto__',
  )
  const anything = fc.jsonValue({ maxDepth: 4 })
  const spiced = fc.dictionary(field, fc.oneof(anything, fc.dictionary(field, anything)))
  const body = fc.oneof(
    fc.constant(undefined),
    spiced.map((own) => JSON.stringify(own)),
    spiced.map((own) => JSON.stringify({ ...WEB, ...own })),
    spiced.map((own) => JSON.stringify({ documents: [own, { ...WEB, ...own }] })),
    anything.map((own) => JSON.stringify(own)),
    fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
  )
  const request = fc.record({
    method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'BREW'),
    path,
    query,
    body,
    ifMatch: fc.constantFrom(undefined, '"1"', '*', '"', 'abc', '"1","2"'),
    type: fc.constantFrom('application/json', 'text/plain', '', 'application/json;;;'),
  })

  it('is answered below 500, and every problem is one', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    await addNode(world, 'general-1-1')
    const property = fc.asyncProperty(request, async (own) => {
      const headers = {
        'content-type': own.type,
        ...(own.ifMatch === undefined ? {} : { 'if-match': own.ifMatch }),
      }
      const bodyless = own.method === 'GET' || own.method === 'HEAD'
      const answer = await world.send(
        own.method,
        `${own.path}${own.query}`,
        bodyless ? undefined : own.body,
        headers,
      )
      expect(answer.status).toBeLessThan(500)
      if (answer.status >= 400 && own.method !== 'HEAD') {
        expect(problemSchema.parse(answer.body).status).toBe(answer.status)
      }
    })
    await fc.assert(property, { numRuns: 1_500 })
  })
})
