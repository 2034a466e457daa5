import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { containerName, containerOf, factsOf } from '#agent/adapters/docker/container.ts'
import { openEngine, textOfFrames } from '#agent/adapters/docker/engine.ts'
import { openImageRoom, type ImageRoom } from '#agent/adapters/docker/image-room.ts'
import { openImages, referenceOf, type CredentialsFor } from '#agent/adapters/docker/images.ts'
import { ecrRegionOf, openRegistries } from '#agent/adapters/docker/registry.ts'
import { openPortBook } from '#agent/adapters/ports-in-use.ts'
import { launchOf, temporaryDirectory } from './world.ts'

const nobody: CredentialsFor = () => Promise.resolve(undefined)
const ENDLESS: ImageRoom = { use: () => undefined, make: () => Promise.resolve() }

describe('references', () => {
  it.each([
    ['nginx', 'nginx', 'latest', 'docker.io'],
    ['nginx:1.27', 'nginx', '1.27', 'docker.io'],
    ['team/app:v2', 'team/app', 'v2', 'docker.io'],
    ['localhost:5000/app', 'localhost:5000/app', 'latest', 'localhost:5000'],
    ['public.ecr.aws/x/y:3', 'public.ecr.aws/x/y', '3', 'public.ecr.aws'],
    ['a.b/c@sha256:12ab', 'a.b/c', 'sha256:12ab', 'a.b'],
    ['a.b/c:v1@sha256:12ab', 'a.b/c', 'sha256:12ab', 'a.b'],
  ] as const)('%s', (...row) => {
    const [image, repository, tag, host] = row
    expect(referenceOf(image)).toEqual({ repository, tag, host })
  })

  it('name the region of a private registry', () => {
    expect(ecrRegionOf('123456789012.dkr.ecr.us-east-1.amazonaws.com')).toBe('us-east-1')
    expect(ecrRegionOf('123456789012.dkr-ecr.eu-west-1.on.aws')).toBe('eu-west-1')
    expect(ecrRegionOf('123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn')).toBe('cn-north-1')
    expect(ecrRegionOf('public.ecr.aws')).toBeUndefined()
    expect(ecrRegionOf('evil.example/123456789012.dkr.ecr.us-east-1.amazonaws.com')).toBeUndefined()
  })
})

describe('the container of a replica', () => {
  const node = { instanceId: 'i-0abc', directory: '/var/lib/drover', environment: { PATH: '/bin' } }

  it('is the whole of what the template says, and says whose it is', () => {
    const template = {
      image: 'team/app:2',
      command: ['serve', '--port', '$(PORT_HTTP)'],
      env: { LEVEL: 'debug' },
      ports: [{ name: 'http' }],
      resources: { cpu: '1500m', memory: '2Gi', gpu: '500m' },
    }
    const gpus = [{ index: 3, milli: 500 }]
    const launch = launchOf('web/1-1', template, { gpus })
    const container = containerOf(launch, { http: 20_001 }, node)
    expect(container).toMatchObject({
      Image: 'team/app:2',
      Entrypoint: ['serve', '--port', '20001'],
      Cmd: [],
      HostConfig: {
        NetworkMode: 'host',
        CpuShares: 1_536,
        Memory: 2 * 2 ** 30,
        MemorySwap: 2 * 2 ** 30,
        Init: true,
        RestartPolicy: { Name: 'no' },
        DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: ['3'], Capabilities: [['gpu']] }],
      },
    })
    const environment = container['Env'] as string[]
    expect(environment).toEqual(expect.arrayContaining(['LEVEL=debug', 'PORT=20001']))
    // Inside, devices are counted anew; and what marks a process of the machine must not be there.
    expect(environment.join('\n')).not.toMatch(/CUDA_VISIBLE|DROVER_AGENT_DIR|^PATH=/m)
    expect(factsOf(container['Labels'] as Record<string, string>)).toEqual({
      ...{ replicaId: 'web/1-1', workload: 'web', version: 'v1', gpus, graceSeconds: 5 },
      ports: { http: 20_001 },
    })
  })

  it('leaves the image its own command where there is none, and shows it no GPU', () => {
    const container = containerOf(launchOf('web/1-1', { image: 'app:1' }), {}, node)
    expect(container).not.toHaveProperty('Entrypoint')
    expect(container['Env']).toContain('NVIDIA_VISIBLE_DEVICES=void')
    expect(container['HostConfig']).not.toHaveProperty('DeviceRequests')
  })

  it('sees its data read-only, always at the same place', () => {
    const data = { version: '1', source: 's3://acme-recs/1/' }
    const launch = launchOf('web/1-1', { image: 'app:1', data }, { dataPath: '/cache/sets/k/d' })
    const container = containerOf(launch, {}, node)
    expect(container['Env']).toContain('DROVER_DATA=/drover/data')
    expect(container['HostConfig']).toMatchObject({
      Mounts: [{ Type: 'bind', Source: '/cache/sets/k/d', Target: '/drover/data', ReadOnly: true }],
    })
  })

  it('is found by its name, which every engine takes', () => {
    expect(containerName('web/12-3', node)).toMatch(/^drover-[0-9a-f]{8}-web\.12-3$/)
    const other = { ...node, directory: '/elsewhere' }
    expect(containerName('web/12-3', other)).not.toBe(containerName('web/12-3', node))
    expect(factsOf({ 'drover.replica': 'web/1-1', 'drover.facts': '{' })).toBeUndefined()
    const odd = { 'drover.replica': 'web/1-2', 'drover.facts': '{"replicaId":"web/1-1"}' }
    expect(factsOf(odd)).toBeUndefined()
  })
})

describe('an engine', () => {
  let directory: { path: string; remove: () => void }
  let server: Server
  let socket = ''
  beforeEach(() => {
    directory = temporaryDirectory()
    socket = join(directory.path, 'sock')
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
    directory.remove()
  })
  const serve = async (version: string, answer: RequestListener = () => undefined) => {
    server = createServer((request, response) => {
      if (request.url === '/_ping') response.setHeader('Api-Version', version).end()
      else answer(request, response)
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    return openEngine(socket)
  }

  it.each([
    ['1.41', '1.41'],
    ['1.51', '1.51'],
    ['1.55', '1.51'],
  ])('that speaks %s is spoken to in %s', async (offered, spoken) => {
    expect((await serve(offered)).version).toBe(spoken)
  })

  it('that is too old is refused', async () => {
    await expect(serve('1.40')).rejects.toThrow('speaks version 1.40 of its API, 1.41 is needed')
  })

  it('tells what it would not do, and that it broke off', async () => {
    const engine = await serve('1.43', ({ url }, response) => {
      if (url === '/v1.43/no') response.writeHead(409).end('{"message":"not now"}')
      else if (url === '/v1.43/plain') response.writeHead(400).end('too new')
      else response.destroy()
    })
    await expect(engine.ask('GET', '/no')).rejects.toMatchObject({ status: 409, said: 'not now' })
    expect((await engine.ask('GET', '/no', { expect: [409] })).status).toBe(409)
    await expect(engine.ask('GET', '/plain')).rejects.toMatchObject({ said: 'too new' })
    await expect(engine.ask('GET', '/other')).rejects.toThrow('the Docker Engine does not answer')
  })

  it('that falls silent is not waited for', async () => {
    const engine = await serve('1.43', ({ url }, response) => {
      if (url === '/v1.43/stream') response.write('first')
    })
    await expect(engine.ask('GET', '/never', { timeoutMs: 50 })).rejects.toThrow('does not answer')
    const heard: string[] = []
    const flow = { idleMs: 50, onChunk: (chunk: Buffer) => heard.push(chunk.toString()) }
    await expect(engine.follow('GET', '/stream', flow)).rejects.toThrow('does not answer')
    expect(heard).toEqual(['first'])
  })

  it('lets go of images that nobody uses when its disk fills, the oldest first', async () => {
    const sizes = new Map([
      ['sha256:run', 10],
      ['sha256:asked', 10],
      ['sha256:new', 20],
      ['sha256:old', 15],
    ])
    const created = ['sha256:old', 'sha256:new', 'sha256:run', 'sha256:asked']
    const removed: string[] = []
    const engine = await serve('1.43', ({ url = '', method }, response) => {
      const path = url.replace(/^\/v1.43|\?.*$/g, '')
      const answer = (body: unknown): void => void response.end(JSON.stringify(body))
      if (path === '/containers/json') answer([{ ImageID: 'sha256:run' }])
      else if (path === '/images/json') {
        answer([...sizes.keys()].map((Id) => ({ Id, Created: created.indexOf(Id) })))
      } else if (method === 'DELETE') {
        const id = path.replace('/images/', '')
        removed.push(id)
        sizes.delete(id)
        answer([])
      }
    })
    const free = (): number => 80 - [...sizes.values()].reduce((a, b) => a + b)
    const space = () => Promise.resolve({ totalBytes: 100, freeBytes: free() })
    const options = { engine, space, log: silentLogger }
    await openImageRoom({ ...options, maxPercent: 100 }).make()
    await openImageRoom({ ...options, maxPercent: 80 }).make()
    expect(removed).toEqual([])
    const room = openImageRoom({ ...options, maxPercent: 70 })
    room.use('sha256:asked')
    await room.make()
    expect(removed).toEqual(['sha256:old'])
    // Even where that is not enough, who is used stays.
    sizes.set('sha256:run', 60)
    await room.make()
    expect(removed).toEqual(['sha256:old', 'sha256:new'])
  })

  it('whose registry is silent or breaks off late has not pulled', async () => {
    let pulls = 0
    const engine = await serve('1.43', ({ url = '' }, response) => {
      if (url.startsWith('/v1.43/images/create')) {
        pulls += 1
        response.write('{"status":"Pulling"}\r\n{"errorDetail":{"mess')
        response.end('age":"manifest unknown"},"error":"manifest unknown"}\r\n')
      } else response.writeHead(404).end('{"message":"no such image"}')
    })
    const images = openImages({ engine, credentialsFor: nobody, room: ENDLESS })
    const both = await Promise.allSettled([images.have('app:1'), images.have('app:1')])
    expect(both.map((own) => String((own as PromiseRejectedResult).reason))).toEqual([
      expect.stringContaining('ImageNotFound: app:1: manifest unknown'),
      expect.stringContaining('ImageNotFound: app:1: manifest unknown'),
    ])
    expect(pulls).toBe(1)
  })
})

describe('ECR', () => {
  const host = '123456789012.dkr.ecr.us-east-1.amazonaws.com'
  const keys = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }
  let server: Server
  let asked = 0
  let livesSeconds = 0
  let registries: CredentialsFor
  beforeEach(async () => {
    Object.assign(process.env, keys)
    asked = 0
    server = createServer((request, response) => {
      request.resume()
      asked += 1
      const authorizationToken = Buffer.from('AWS:a:b').toString('base64')
      const expiresAt = Date.now() / 1000 + livesSeconds
      response.setHeader('Content-Type', 'application/x-amz-json-1.1')
      response.end(JSON.stringify({ authorizationData: [{ authorizationToken, expiresAt }] }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    registries = openRegistries(
      `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    )
  })
  afterEach(() => {
    for (const name of Object.keys(keys)) delete process.env[name]
    server.closeAllConnections()
    server.close()
  })

  it('is asked once in the life of a token', async () => {
    livesSeconds = 43_200
    expect(await registries(host)).toEqual({ username: 'AWS', password: 'a:b' })
    await registries(host)
    expect(asked).toBe(1)
  })

  it('is asked anew before the token ends, and for another region', async () => {
    livesSeconds = 600
    await registries(host)
    await registries(host)
    expect(asked).toBe(2)
    await registries(host.replace('us-east-1', 'eu-west-1'))
    expect(asked).toBe(3)
  })
})

it('frames are unpacked, and half a frame is left', () => {
  const frame = (stream: number, text: string): Buffer => {
    const head = Buffer.alloc(8)
    head.writeUInt8(stream, 0)
    head.writeUInt32BE(Buffer.byteLength(text), 4)
    return Buffer.concat([head, Buffer.from(text)])
  }
  const bytes = Buffer.concat([frame(1, 'out\n'), frame(2, 'err\n'), Buffer.from([1, 0, 0])])
  expect(textOfFrames(bytes)).toBe('out\nerr\n')
})

it('two that choose ports at once choose different ones', async () => {
  const book = openPortBook()
  const names = ['a', 'b']
  const all = await Promise.all(['x', 'y', 'z'].map((id) => book.choose(id, names, {})))
  expect(new Set(all.flatMap((own) => Object.values(own))).size).toBe(6)
  book.letGo('x')
  expect(await book.choose('w', names, all[0] ?? {})).toEqual(all[0])
})
