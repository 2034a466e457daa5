/**
 * Hardware that fails in service: the kernel tells of it, the machine is emptied within the ledger,
 * tested again, and back in service.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCommand, startChild, type DroverChild } from '#local/demo/child.ts'
import { makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { settled, sweepDirectory, temporaryDirectory } from './kit.ts'

let directory = ''
let child: DroverChild
let herd: Herd

beforeAll(async () => {
  directory = temporaryDirectory('health')
  child = await startChild({ stateDirectory: directory })
  herd = makeHerd(child.url)
})
afterAll(async () => {
  await child.end('SIGTERM')
  sweepDirectory(directory)
})

const WATCHED = `
kind: Pool
name: watched
instances: { types: [c6a.xlarge] }
repack: { when: never }
---
kind: Workload
name: watched-web
replicas: 1
command: [sh, -c, 'exec sleep 600']
resources: { cpu: 500m, memory: 128Mi }
`

it('empties a machine whose kernel tells of a bad disk, and tests it again', async () => {
  const path = join(directory, 'watched.yaml')
  writeFileSync(path, WATCHED)
  expect(await runCommand(child.url, ['apply', '-f', path])).toMatchObject({ code: 0 })
  await settled(herd)
  const carrying = async (): Promise<string | undefined> =>
    (await herd.nodes()).find((own) => own.replicas.length > 0)?.name
  const suspect = await carrying()
  expect(suspect).toBeDefined()
  // Those that run already have it in their log; those that start later are good again.
  const fails = (rate: number) => ({ hardware: { check: 'disk', rate } })
  await herd.send('POST', '/local/faults', fails(1))
  await herd.send('POST', '/local/faults', fails(0))
  const isCleared = async (): Promise<boolean> => {
    const node = (await herd.nodes()).find((own) => own.name === suspect)
    const told = node?.conditions.find((own) => own.type === 'StorageReady')
    return node?.phase === 'ready' && told?.text.includes('it has passed a test since') === true
  }
  await until({ what: 'it is tested again', withinMs: 60_000 }, isCleared)
  await settled(herd)
  expect(await carrying()).not.toBe(suspect)
  const { out } = await runCommand(child.url, ['events'])
  expect(out).toMatch(/DiskError.+I\/O error/)
  expect(out).toMatch(/Retest.+draining: DiskError/)
})
