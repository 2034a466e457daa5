/**
 * The local drover with a Docker Engine beside it: replicas with an image run in containers, and go
 * with their machines.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, startChild, type DroverChild } from '#local/demo/child.ts'
import { makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { IMAGE, startDocker } from '../engines/docker-engine.ts'
import { settled, sweepDirectory, temporaryDirectory } from './kit.ts'

const docker = await startDocker()
if ('missing' in docker) console.warn(`skipped: containers end to end, because ${docker.missing}`)

const SPEC = `
kind: Pool
name: general
instances: { families: [m7a], maxVcpu: 2 }
---
kind: Workload
name: web
replicas: 2
image: ${IMAGE}
command:
  - /bin/sh
  - -c
  - echo $DROVER_REPLICA_ID > /www/index.html; exec busybox httpd -f -p $PORT -h /www
resources: { cpu: 1500m, memory: 64Mi }
ports: [{ name: http }]
health: { http: { path: /, port: http }, intervalSeconds: 1 }
terminationGraceSeconds: 2
`

let directory = ''
let child: DroverChild
let herd: Herd

type Container = { readonly State: string; readonly Labels: Readonly<Record<string, string>> }

async function containers(): Promise<readonly Container[]> {
  if ('missing' in docker) throw new Error(docker.missing)
  const query = { all: '1' }
  return (await docker.engine.ask('GET', '/containers/json', { query })).body as Container[]
}

const replicasOf = (found: readonly Container[]): string[] =>
  found.map((own) => own.Labels['drover.replica'] ?? '').sort()

describe.skipIf('missing' in docker)('replicas with an image', () => {
  beforeAll(async () => {
    if ('missing' in docker) return
    process.env['DROVER_DOCKER_SOCKET'] = docker.socket
    directory = temporaryDirectory('containers')
    child = await startChild({ stateDirectory: directory })
    herd = makeHerd(child.url)
  })
  afterAll(async () => {
    await child.end('SIGTERM')
    delete process.env['DROVER_DOCKER_SOCKET']
    sweepDirectory(directory)
    if (!('missing' in docker)) await docker.stop()
  })

  const drover = (...argv: string[]): ReturnType<typeof runCommand> => runCommand(child.url, argv)

  it('are ready in containers, and answer', async () => {
    const path = join(directory, 'web.yaml')
    writeFileSync(path, SPEC)
    expect(await drover('apply', '-f', path)).toMatchObject({ code: 0, err: '' })
    await settled(herd)
    const told = await drover('get', 'replicas', '--json')
    const { items } = JSON.parse(told.out) as {
      items: { id: string; addresses: Record<string, string> }[]
    }
    expect(replicasOf(await containers())).toEqual(items.map(({ id }) => id).sort())
    for (const { id, addresses } of items) {
      const answer = await fetch(`http://${String(addresses['http'])}/`)
      expect((await answer.text()).trim()).toBe(id)
    }
  })

  it('go with a machine that is ended, and come back on another', async () => {
    const before = replicasOf(await containers())
    const [node] = await herd.nodes()
    const lost = node?.replicas[0] ?? ''
    expect(before).toContain(lost)
    const ended = await drover('node', 'terminate', node?.name ?? '', '--force')
    expect(ended.code).toBe(0)
    await until({ what: 'the lost one is replaced', withinMs: 60_000 }, async () => {
      const now = replicasOf(await containers())
      return now.length === 2 && !now.includes(lost)
    })
    await settled(herd)
  })

  it('leave nothing behind when they are deleted', async () => {
    expect((await drover('delete', 'workload', 'web')).code).toBe(0)
    await until({ what: 'all containers are gone', withinMs: 60_000 }, async () => {
      return (await containers()).length === 0
    })
  })
})
