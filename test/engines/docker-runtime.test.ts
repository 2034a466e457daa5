import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  openDockerRuntime,
  type DockerRuntime,
  type DockerRuntimeOptions,
} from '#agent/adapters/docker-runtime.ts'
import { ownedBy } from '#agent/adapters/docker/container.ts'
import { openImageRoom } from '#agent/adapters/docker/image-room.ts'
import { agentFiles } from '#agent/adapters/files.ts'
import { openPortBook } from '#agent/adapters/ports-in-use.ts'
import type { ProcessTarget } from '#agent/effects.ts'
import type { RunningProcess } from '#agent/events.ts'
import type { Exit } from '#agent/ports.ts'
import { silentLogger } from '#shared/base/log.ts'
import { healthSchema } from '#shared/model/workload.ts'
import { launchOf, temporaryDirectory, until } from '../agent/world.ts'
import { IMAGE, startDocker, startRegistry } from './docker-engine.ts'

const docker = await startDocker()
if ('missing' in docker) console.warn(`skipped: the container runtime, because ${docker.missing}`)
afterAll(async () => {
  if (!('missing' in docker)) await docker.stop()
}, 60_000)

let directory: { path: string; remove: () => void }
let instanceId: string
let exits: Exit[]
const open: DockerRuntime[] = []
beforeEach(() => {
  directory = temporaryDirectory()
  instanceId = `i-${Math.random().toString(16).slice(2, 12)}`
  exits = []
})
afterEach(() => {
  for (const own of open.splice(0)) own.close()
  directory.remove()
})

function engine() {
  if ('missing' in docker) throw new Error(docker.missing)
  return docker.engine
}

async function runtime(extra: Partial<DockerRuntimeOptions> = {}): Promise<DockerRuntime> {
  const opened = await openDockerRuntime({
    ...{ engine: engine(), directory: directory.path, instanceId, address: '127.0.0.1' },
    ...{ environment: {}, ports: openPortBook(), log: silentLogger },
    credentialsFor: () => Promise.resolve(undefined),
    space: () => Promise.resolve({ totalBytes: 100, freeBytes: 100 }),
    imagesMaxPercent: 70,
    ...extra,
  })
  opened.onExit((exit) => exits.push(exit))
  open.push(opened)
  return opened
}

const shell = (script: string): Record<string, unknown> => ({
  image: IMAGE,
  command: ['/bin/sh', '-c', script],
})

async function started(
  own: DockerRuntime,
  ...args: Parameters<typeof launchOf>
): Promise<RunningProcess> {
  const result = await own.start(launchOf(...args), {})
  if ('failed' in result) throw new Error(result.failed)
  return result.started
}

const target = (replicaId: string, { pid, startTime }: RunningProcess): ProcessTarget => ({
  ...{ replicaId, pid, startTime },
})
const ended = (): Promise<Exit> => until('an exit', () => exits[0])

async function body(address: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    get(`http://${String(address)}/`, { agent: false }, (response) => {
      response.setEncoding('utf8')
      let text = ''
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        resolve(text.trim())
      })
    }).once('error', reject)
  })
}

describe.skipIf('missing' in docker)('a check in a container', () => {
  const check = async (script: string, timeoutMs = 30_000) => {
    const own = await runtime()
    const words = ['/bin/sh', '-c', script]
    const name = 'mine'
    return own.runCheck({ name, image: IMAGE, command: words, timeoutMs, hasGpus: false })
  }
  const left = async (): Promise<unknown> => {
    const query = ownedBy({ instanceId, directory: directory.path })
    return (await engine().ask('GET', '/containers/json', { query })).body
  }

  it('says how it ended and what it said, and leaves nothing', async () => {
    expect(await check('echo one; echo two >&2; exit 3')).toEqual({
      ...{ code: 3, isLate: false, stdout: 'one\n', stderr: 'two\n' },
    })
    expect(await left()).toEqual([])
  })

  it('is ended when its time is up', async () => {
    expect(await check('echo one; exec sleep 60', 1_500)).toMatchObject({
      ...{ isLate: true, stdout: 'one\n' },
    })
    expect(await left()).toEqual([])
  })

  it('takes the place of what an agent before has left of it, and is no replica', async () => {
    const before = check('exec sleep 60').catch((error: unknown) => error)
    await until('it runs', async () => ((await left()) as unknown[])[0])
    expect((await runtime()).adopt()).toEqual([])
    expect(await left()).toEqual([])
    expect(await before).toBeInstanceOf(Error)
    expect(await check('exit 0')).toMatchObject({ code: 0 })
  })

  it('is thrown without its image, and with GPUs where there is no runtime', async () => {
    const own = await runtime()
    const run = { name: 'mine', timeoutMs: 30_000, command: ['true'] }
    const image = '127.0.0.1:1/none:1'
    await expect(own.runCheck({ ...run, image, hasGpus: false })).rejects.toThrow(/none/)
    await expect(own.runCheck({ ...run, image: IMAGE, hasGpus: true })).rejects.toThrow(
      /gpu|nvidia/i,
    )
    expect(await left()).toEqual([])
  })
})

describe.skipIf('missing' in docker)('replicas in containers', () => {
  it('run with their own environment and ports, are probed, and stop when told', async () => {
    const own = await runtime()
    const health = { http: { path: '/', port: 'http' }, intervalSeconds: 1, timeoutSeconds: 2 }
    const template = {
      ...shell(
        'echo $DROVER_REPLICA_ID $GREETING $NVIDIA_VISIBLE_DEVICES ${DROVER_AGENT_DIR:-none}' +
          ' > /www/index.html; exec busybox httpd -f -p $(PORT_HTTP) -h /www',
      ),
      ...{ env: { GREETING: 'hello' }, ports: [{ name: 'http' }], health },
    }
    const launch = launchOf('web/1-1', template)
    const process = await started(own, 'web/1-1', template)
    const address = process.addresses['http']
    expect(await until('an answer', () => body(address).catch(() => undefined))).toBe(
      'web/1-1 hello void none',
    )
    const request = {
      ...{ replicaId: 'web/1-1', pid: process.pid, launch, ports: process.ports },
      ...{ health: launch.template.health!, addresses: process.addresses },
    }
    expect(await own.probe(request)).toBe(true)
    const exec = (command: string[], timeoutSeconds = 5) =>
      own.probe({
        ...request,
        health: { ...request.health, http: undefined, exec: { command }, timeoutSeconds } as never,
      })
    expect(await exec(['/bin/sh', '-c', 'exit 0'])).toBe(true)
    expect(await exec(['/bin/sh', '-c', 'exit 3'])).toBe(false)
    expect(await exec(['/no/such'])).toBe(false)
    expect(await exec(['/bin/sh', '-c', 'echo $$ > /www/pid; exec sleep 60'], 1)).toBe(false)
    const isGone = ['/bin/sh', '-c', 'test ! -d /proc/$(busybox cat /www/pid)']
    await until('the end of the late probe', () => exec(isGone))

    own.signal(target('web/1-1', process), 'SIGTERM')
    expect(await ended()).toEqual({ replicaId: 'web/1-1', pid: process.pid, signal: 'SIGTERM' })
    await own.cleanUp('web/1-1')
    expect(await own.probe(request)).toBe(false)
  })

  it('find their data where it is promised, and cannot write there', async () => {
    const sources = join(directory.path, 'set')
    mkdirSync(sources)
    writeFileSync(join(sources, 'model.txt'), 'the model')
    const script =
      'busybox cat $DROVER_DATA/model.txt; echo; echo x > $DROVER_DATA/x || echo refused'
    const own = await runtime()
    const data = { version: '1', source: 's3://acme-recs/1/' }
    const template = { ...shell(`${script}; exec sleep 60`), data }
    const launch = launchOf('web/1-1', template, { dataPath: sources })
    const result = await own.start(launch, {})
    if ('failed' in result) throw new Error(result.failed)
    const health = healthSchema.parse({
      exec: { command: ['/bin/sh', '-c', 'test -s "$DROVER_DATA/model.txt"'] },
    })
    const request = { replicaId: 'web/1-1', pid: result.started.pid, health, launch }
    await until('it is ready', () => own.probe({ ...request, ports: {}, addresses: {} }))
    own.signal(target('web/1-1', result.started), 'SIGKILL')
    await ended()
    await own.cleanUp('web/1-1')
    const said = readFileSync(agentFiles(directory.path).log('web/1-1'), 'utf8')
    expect(said).toContain('the model\n')
    expect(said).toContain('refused')
    expect(readdirSync(sources)).toEqual(['model.txt'])
  })

  it('of which the data is not there do not start', async () => {
    const own = await runtime()
    const data = { version: '1', source: 's3://acme-recs/1/' }
    const dataPath = join(directory.path, 'nowhere')
    const launch = launchOf('web/1-1', { ...shell('true'), data }, { dataPath })
    expect(await own.start(launch, {})).toMatchObject({
      failed: expect.stringContaining('does not exist') as string,
    })
  })

  it('tell how they ended, and leave the end of what they said', async () => {
    const own = await runtime()
    const { pid } = await started(own, 'job/1-1', shell('echo so far; echo so bad >&2; exit 7'))
    expect(await ended()).toEqual({ replicaId: 'job/1-1', pid, code: 7 })
    await own.cleanUp('job/1-1')
    const log = readFileSync(agentFiles(directory.path).log('job/1-1'), 'utf8')
    expect(log.split('\n').sort()).toEqual(['', 'so bad', 'so far'])
    await own.cleanUp('job/1-1')
  })

  it('whose command is not there end at once, and their log says so', async () => {
    const own = await runtime()
    await started(own, 'job/1-1', { image: IMAGE, command: ['/no/such'] })
    expect(await ended()).toMatchObject({ code: 127 })
    await own.cleanUp('job/1-1')
    const log = readFileSync(agentFiles(directory.path).log('job/1-1'), 'utf8')
    expect(log).toContain('exec /no/such failed: No such file or directory')
  })

  it('are told apart when they run out of memory', async () => {
    const own = await runtime()
    const resources = { cpu: '100m', memory: '16Mi' }
    await started(own, 'hog/1-1', { ...shell('exec busybox tail /dev/zero'), resources })
    expect(await ended()).toMatchObject({ signal: 'SIGKILL', reason: 'OutOfMemory' })
  })

  it('are started again in place of their last run', async () => {
    const own = await runtime()
    await started(own, 'job/1-1', shell('exit 1'))
    await ended()
    exits.length = 0
    const again = await started(own, 'job/1-1', shell('exec sleep 60'))
    const { body: found } = await engine().ask('GET', '/containers/json', {
      query: ownedBy({ instanceId, directory: directory.path }),
    })
    expect(found).toHaveLength(1)
    own.signal(target('job/1-1', again), 'SIGKILL')
    expect(await ended()).toMatchObject({ signal: 'SIGKILL', pid: again.pid })
  })

  it('outlive their agent, and are found by the next one', async () => {
    const first = await runtime()
    const ports = [{ name: 'http' }]
    const process = await started(first, 'web/1-1', { ...shell('exec sleep 60'), ports })
    await started(first, 'web/1-2', shell('exit 0'))
    await ended()
    first.close()

    exits = []
    const book = openPortBook()
    const second = await runtime({ ports: book })
    expect(second.adopt()).toEqual([
      {
        ...{ replicaId: 'web/1-1', workload: 'web', version: 'v1', gpus: [], graceSeconds: 5 },
        process,
      },
    ])
    const other = await book.choose('web/2-1', ['http'], process.ports)
    expect(other['http']).not.toBe(process.ports['http'])
    second.signal(target('web/1-1', process), 'SIGKILL')
    expect(await ended()).toMatchObject({ replicaId: 'web/1-1', signal: 'SIGKILL' })
  })

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'outlive the engine itself (%s), and their end is told all the same',
    async (signal) => {
      if ('missing' in docker) return
      const own = await runtime()
      const process = await started(own, 'web/1-1', shell('exec sleep 60'))
      await docker.restart(signal)
      const { body: seen } = await docker.engine.ask(
        'GET',
        `/containers/${process.startTime.slice('docker:'.length)}/json`,
      )
      expect(seen).toMatchObject({ State: { Running: true, Pid: process.pid } })
      own.signal(target('web/1-1', process), 'SIGTERM')
      const exit = await until('an exit', () => exits[0], 20_000)
      expect(exit).toMatchObject({ replicaId: 'web/1-1', signal: 'SIGTERM' })
    },
  )
})

describe.skipIf('missing' in docker)('what cannot be started says why, and leaves nothing', () => {
  const failed = async (template: Record<string, unknown>, extra = {}): Promise<string> => {
    const own = await runtime()
    const result = await own.start(launchOf('web/1-1', template, extra), {})
    const query = ownedBy({ instanceId, directory: directory.path })
    const { body: left } = await engine().ask('GET', '/containers/json', { query })
    expect(left).toEqual([])
    return 'failed' in result ? result.failed : 'it started'
  }

  it('no command at all', async () => {
    expect(await failed({ image: IMAGE })).toMatch(/^CommandMissing: /)
  })

  it('a GPU where there is no runtime for it', async () => {
    const gpus = [{ index: 0, milli: 1000 }]
    expect(await failed(shell('exit 0'), { gpus })).toMatch(/^NoGpuRuntime: /)
  })

  it('an image whose name nobody understands', async () => {
    expect(await failed({ image: 'Not An Image', command: ['x'] })).toMatch(/^ImageWrong: /)
  })
})

describe.skipIf('missing' in docker)('images', () => {
  it('are pulled with credentials, once for all who wait', async () => {
    if ('missing' in docker) return
    const registry = await startRegistry(docker.rootfs, { user: 'AWS', password: 'p?>~s' })
    const image = `${registry.host}/here:1`
    try {
      const anonymous = await runtime()
      const template = { image, command: ['/bin/sh', '-c', 'exit 5'] }
      const denied = await anonymous.start(launchOf('web/1-1', template), {})
      expect(denied).toHaveProperty('failed')
      expect((denied as { failed: string }).failed).toMatch(/^ImagePullDenied: /)

      const own = await runtime({
        credentialsFor: (host) =>
          Promise.resolve(
            host === registry.host ? { username: 'AWS', password: 'p?>~s' } : undefined,
          ),
      })
      const missing = await own.start(
        launchOf('web/1-9', { ...template, image: `${registry.host}/gone:1` }),
        {},
      )
      expect((missing as { failed: string }).failed).toMatch(/^ImageNotFound: /)
      registry.asked.length = 0
      await Promise.all(['web/1-2', 'web/1-3'].map((id) => started(own, id, template)))
      await until('both ends', () => exits.length === 2)
      expect(exits.map((own) => own.code)).toEqual([5, 5])
      const manifests = registry.asked.filter(
        (own) => own.startsWith('GET') && /manifests/.test(own),
      )
      expect(manifests).toHaveLength(1)
      await started(own, 'web/1-4', template)
      expect(registry.asked.filter((own) => /manifests/.test(own)).length).toBeLessThanOrEqual(2)
    } finally {
      registry.close()
    }
  })
})

describe.skipIf('missing' in docker)('a disk that fills', () => {
  const isHere = async (image: string): Promise<boolean> =>
    (await engine().ask('GET', `/images/${image}/json`, { expect: [404] })).status === 200

  it('gets rid of images that no container is of, by all of their names', async () => {
    const own = await runtime()
    const process = await started(own, 'web/1-1', shell('exec sleep 60'))
    const container = process.startTime.replace('docker:', '')
    const old = { container, repo: 'drover-old', tag: '1', comment: 'another' }
    await engine().ask('POST', '/commit', { query: old })
    const again = { repo: 'drover-older', tag: '2' }
    await engine().ask('POST', '/images/drover-old:1/tag', { query: again })
    const room = openImageRoom({
      ...{ engine: engine(), maxPercent: 70, log: silentLogger },
      space: () => Promise.resolve({ totalBytes: 100, freeBytes: 20 }),
    })
    await room.make()
    expect(await Promise.all([IMAGE, 'drover-old:1', 'drover-older:2'].map(isHere))).toEqual([
      ...[true, false, false],
    ])
    own.signal(target('web/1-1', process), 'SIGKILL')
    await ended()
    await own.cleanUp('web/1-1')
  })
})

describe.skipIf('missing' in docker)('the engine', () => {
  it('is not needed to say that it is away', async () => {
    const away = await runtime()
    expect(existsSync(directory.path)).toBe(true)
    const gone = { ...engine(), ask: () => Promise.reject(new Error('ECONNREFUSED')) }
    await expect(runtime({ engine: gone })).rejects.toThrow('ECONNREFUSED')
    away.close()
  })
})
