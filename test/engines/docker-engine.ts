/**
 * A Docker Engine of the tests' own: nothing of it is shared with one that may run here already.
 *
 * It needs root and Debian's `docker.io`, which is installed where that is possible. There is no
 * registry to pull from, so the one image is made of a static busybox, and a registry that answers
 * as it is told stands on a port of this machine.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { waitForEngine, type Engine } from '#agent/adapters/docker/engine.ts'

const run = promisify(execFile)

export const IMAGE = 'drover-busybox:1'

export type DockerDaemon = {
  readonly socket: string
  readonly engine: Engine
  /** The file system of the image, as a tar. */
  readonly rootfs: Buffer
  /** Ends the engine, and starts it anew; containers live on meanwhile. */
  restart(signal: NodeJS.Signals): Promise<void>
  stop(): Promise<void>
}

export type DockerAccess = DockerDaemon | { readonly missing: string }

const INSTALL_MS = 300_000
const START_MS = 60_000

export async function startDocker(): Promise<DockerAccess> {
  const missing = await installDocker()
  if (missing !== undefined) return { missing }
  const directory = mkdtempSync(join(tmpdir(), 'drover-docker-'))
  const socket = join(directory, 'sock')
  writeFileSync(join(directory, 'daemon.json'), JSON.stringify({ 'live-restore': true }))
  let daemon = spawnDaemon(directory, socket)
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const gone = new Promise((resolve) => daemon.once('exit', resolve))
    daemon.kill(signal)
    await gone
  }
  try {
    const engine = await waitForEngine(socket, START_MS)
    const rootfs = await importBusybox(directory, socket)
    return {
      ...{ socket, engine, rootfs },
      restart: async (signal) => {
        await end(signal)
        // Where nobody reaps the dead, the last containerd's pid looks alive for ever.
        rmSync(join(directory, 'exec', 'containerd', 'containerd.pid'), { force: true })
        daemon = spawnDaemon(directory, socket)
        await waitForEngine(socket, START_MS)
      },
      stop: async () => {
        await removeAll(engine)
        await end('SIGTERM')
        await remove(directory)
      },
    }
  } catch (error) {
    daemon.kill('SIGKILL')
    await remove(directory)
    return { missing: `dockerd does not run here: ${String(error)}` }
  }
}

/** Why there can be none; undefined where there is one. */
async function installDocker(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it needs root on Linux'
  const has = (path: string): boolean => existsSync(path)
  if (has('/usr/sbin/dockerd') && has('/bin/busybox')) return undefined
  try {
    const options = {
      timeout: INSTALL_MS,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }
    await run('apt-get', ['update'], options)
    await run('apt-get', ['install', '-y', 'docker.io', 'busybox-static'], options)
    return undefined
  } catch (error) {
    return `docker.io cannot be installed: ${String(error).slice(0, 200)}`
  }
}

function spawnDaemon(directory: string, socket: string): ChildProcess {
  const words = [
    ...['--config-file', join(directory, 'daemon.json'), '-H', `unix://${socket}`],
    ...['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')],
    ...['--pidfile', join(directory, 'pid'), '--storage-driver=vfs'],
    ...['--bridge=none', '--iptables=false', '--ip6tables=false'],
  ]
  return spawn('/usr/sbin/dockerd', words, { stdio: 'ignore' })
}

async function removeAll(engine: Engine): Promise<void> {
  const { body } = await engine.ask('GET', '/containers/json', { query: { all: '1' } })
  for (const { Id } of body as { Id: string }[]) {
    const query = { force: '1', v: '1' }
    await engine.ask('DELETE', `/containers/${Id}`, { query, expect: [404, 409] })
  }
}

/** Its mounts may take a moment to go. */
async function remove(directory: string): Promise<void> {
  for (let tried = 0; tried < 20; tried += 1) {
    try {
      rmSync(directory, { recursive: true, force: true })
      return
    } catch {
      for (const own of ['data', 'exec/netns/default']) {
        await run('umount', [join(directory, own)]).catch(() => undefined)
      }
      await sleep(100)
    }
  }
}

async function importBusybox(directory: string, socket: string): Promise<Buffer> {
  const root = join(directory, 'rootfs')
  for (const own of ['bin', 'tmp', 'www']) mkdirSync(join(root, own), { recursive: true })
  await run('cp', ['/bin/busybox', join(root, 'bin', 'busybox')])
  await run('ln', ['-s', 'busybox', join(root, 'bin', 'sh')])
  await run('ln', ['-s', 'busybox', join(root, 'bin', 'sleep')])
  const { stdout } = await run('tar', ['-C', root, '-c', '.'], {
    encoding: 'buffer',
    maxBuffer: 64 * 1_048_576,
  })
  await new Promise<void>((resolve, reject) => {
    const [repo, tag] = IMAGE.split(':')
    const path = `/images/create?fromSrc=-&repo=${String(repo)}&tag=${String(tag)}`
    const call = request({ socketPath: socket, method: 'POST', path }, (response) => {
      response.resume().once('end', resolve)
    })
    call.once('error', reject)
    call.end(stdout)
  })
  return stdout
}

export type Registry = {
  /** `localhost:5012` */
  readonly host: string
  /** What the engine sent, newest last: `GET /v2/…`. */
  readonly asked: string[]
  close(): void
}

/**
 * A registry that has one image, `here:1`, and shows it only to those who may see it; `silent`
 * never answers.
 */
export async function startRegistry(
  rootfs: Buffer,
  { user, password }: { user: string; password: string },
): Promise<Registry> {
  const layer = gzipSync(rootfs)
  const digest = (own: Buffer): string => `sha256:${createHash('sha256').update(own).digest('hex')}`
  const config = Buffer.from(
    JSON.stringify({
      ...{ architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', os: 'linux', config: {} },
      rootfs: { type: 'layers', diff_ids: [digest(rootfs)] },
    }),
  )
  const part = (mediaType: string, own: Buffer) => ({
    ...{ mediaType, size: own.length, digest: digest(own) },
  })
  const type = 'application/vnd.docker.distribution.manifest.v2+json'
  const manifest = Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: type },
      config: part('application/vnd.docker.container.image.v1+json', config),
      layers: [part('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
    }),
  )
  const blobs = new Map([config, layer].map((own) => [digest(own), own]))
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  const asked: string[] = []
  const server: Server = createServer(({ method, url = '', headers }, response) => {
    asked.push(`${String(method)} ${url}`)
    if (headers.authorization !== expected) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="drover"' }).end()
      return
    }
    const blob = blobs.get(url.split('/').at(-1) ?? '')
    if (url === '/v2/') response.end('{}')
    else if (/\/here\/manifests\//.test(url)) {
      response.setHeader('Docker-Content-Digest', digest(manifest))
      response.setHeader('Content-Type', type)
      response.setHeader('Content-Length', manifest.length)
      response.end(method === 'HEAD' ? undefined : manifest)
    } else if (blob !== undefined) response.end(blob)
    else {
      const errors = [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }]
      response.writeHead(404, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify({ errors }))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: `localhost:${String(port)}`,
    asked,
    close: () => {
      server.close()
    },
  }
}
