/**
 * A bad version stops at its first batch, and the version before serves on; a person goes back.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCommand, startChild, type DroverChild } from '#local/demo/child.ts'
import { makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { workloadObjectSchema } from '#shared/protocol/api.ts'
import { settled, sweepDirectory, temporaryDirectory } from './kit.ts'

const REPLICAS = 8
/** A tenth of them, and three at least. */
const BREAKER = 3

let directory = ''
let child: DroverChild
let herd: Herd

beforeAll(async () => {
  directory = temporaryDirectory('rollouts')
  child = await startChild({ stateDirectory: directory })
  herd = makeHerd(child.url)
})
afterAll(async () => {
  await child.end('SIGTERM')
  sweepDirectory(directory)
})

const specOf = (mood: string): string => `
kind: Pool
name: general
instances: { types: [m7a.medium, m7a.large] }
---
kind: Workload
name: web
replicas: ${String(REPLICAS)}
command: [sh, -c, 'exec sleep 600']
env: { MOOD: ${mood} }
health: { exec: { command: [sh, -c, 'test "$MOOD" != bad'] }, intervalSeconds: 1 }
resources: { cpu: 200m, memory: 64Mi }
rollout: { maxSurge: 2, maxUnavailable: 1, minReadySeconds: 1, healthyDeadlineSeconds: 5 }
`

async function apply(mood: string): Promise<void> {
  const path = join(directory, `${mood}.yaml`)
  writeFileSync(path, specOf(mood))
  expect(await runCommand(child.url, ['apply', '-f', path])).toMatchObject({ code: 0 })
}

const read = async (path: string): Promise<unknown> => (await fetch(`${child.url}${path}`)).json()
const web = async () => workloadObjectSchema.parse(await read('/v1/workloads/web'))

it('rolls a good version, halts a bad one at its first batch, and goes back', async () => {
  await apply('calm')
  await settled(herd)
  await apply('glad')
  await until({ what: 'the good version is rolled out', withinMs: 90_000 }, async () => {
    const { rollout, version } = (await web()).status
    return rollout?.stable === version && rollout.old === 0
  })
  const good = (await web()).status.version

  await apply('bad')
  const bad = (await web()).status.version
  const touched = new Set<string>()
  let least = REPLICAS
  await until({ what: 'the bad version is halted', withinMs: 60_000 }, async () => {
    const all = await herd.replicas('web')
    for (const { id, version, phase } of all) {
      if (version === bad && phase !== 'waiting') touched.add(id)
    }
    const { rollout, ready } = (await web()).status
    least = Math.min(least, ready)
    return rollout?.failed !== undefined && ready === REPLICAS
  })
  expect(touched.size).toBeGreaterThan(0)
  expect(touched.size).toBeLessThanOrEqual(BREAKER)
  expect(least).toBeGreaterThanOrEqual(REPLICAS - 1)
  expect(await runCommand(child.url, ['rollout', 'status', 'web'])).toMatchObject({ code: 1 })

  expect(await runCommand(child.url, ['rollout', 'undo', 'web'])).toMatchObject({ code: 0 })
  await until({ what: 'every replica is of the good version', withinMs: 60_000 }, async () => {
    const all = await herd.replicas('web')
    return all.length === REPLICAS && all.every((own) => own.version === good && own.ready)
  })
  const { code, out } = await runCommand(child.url, ['rollout', 'status', 'web'])
  expect(out).toMatch(/Undone: /)
  expect(code).toBe(0)
})
