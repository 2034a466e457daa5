/**
 * A workload with data finds it whole before it starts, another version of it is a roll-out, and
 * data that is not there is said to be missing until it is.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCommand, startChild, type DroverChild } from '#local/demo/child.ts'
import { makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { settled, sweepDirectory, temporaryDirectory } from './kit.ts'

let directory = ''
let child: DroverChild
let herd: Herd

beforeAll(async () => {
  directory = temporaryDirectory('data')
  child = await startChild({ stateDirectory: join(directory, 'state') })
  herd = makeHerd(child.url)
})
afterAll(async () => {
  await child.end('SIGTERM')
  sweepDirectory(directory)
})

/** Each replica writes down what it found; its probe finds it too. */
const specOf = (version: string): string => `
kind: Pool
name: general
instances: { types: [m7a.medium] }
---
kind: Workload
name: recommender
replicas: 2
command: [sh, -c, 'cat "$DROVER_DATA/sub/model.txt" > "$SEEN/$$"; exec sleep 600']
env: { SEEN: ${join(directory, 'seen')} }
data: { version: "${version}", source: "file://${join(directory, version)}/" }
health: { exec: { command: [sh, -c, 'test -s "$DROVER_DATA/sub/model.txt"'] }, intervalSeconds: 1 }
resources: { cpu: 100m, memory: 64Mi }
rollout: { maxSurge: 1, maxUnavailable: 1, minReadySeconds: 1 }
terminationGraceSeconds: 1
`

async function apply(version: string): Promise<void> {
  const path = join(directory, `${version}.yaml`)
  writeFileSync(path, specOf(version))
  expect(await runCommand(child.url, ['apply', '-f', path])).toMatchObject({ code: 0 })
}

function put(version: string): void {
  mkdirSync(join(directory, version, 'sub'), { recursive: true })
  writeFileSync(join(directory, version, 'sub', 'model.txt'), `the model of ${version}`)
}

function seen(): string[] {
  const at = join(directory, 'seen')
  return readdirSync(at).map((name) => readFileSync(join(at, name), 'utf8'))
}

const cachesOf = (instanceId: string): string =>
  join(directory, 'state', 'instances', instanceId, 'agent', 'data')

it('is there, whole, before a replica starts; and the next version is a roll-out', async () => {
  mkdirSync(join(directory, 'seen'))
  put('one')
  await apply('one')
  await settled(herd)
  expect(new Set(seen())).toEqual(new Set(['the model of one']))
  put('two')
  await apply('two')
  await settled(herd, 90_000)
  expect(new Set(seen())).toEqual(new Set(['the model of one', 'the model of two']))
})

it('that is not there is waited for, and the replicas say so', async () => {
  await apply('three')
  await until({ what: 'a replica says what it lacks', withinMs: 30_000 }, async () => {
    const all = await herd.replicas('recommender')
    return all.some((own) => JSON.stringify(own).includes('DataFetchFailed: '))
  })
  expect(seen()).not.toContain('the model of three')
  put('three')
  await apply('three')
  await until({ what: 'it has come', withinMs: 60_000 }, async () =>
    Promise.resolve(seen().includes('the model of three')),
  )
})

it('goes with its machine', async () => {
  const before = (await herd.instances()).map((own) => own.instanceId)
  expect(before.some((own) => existsSync(cachesOf(own)))).toBe(true)
  expect(await runCommand(child.url, ['delete', 'workload', 'recommender'])).toMatchObject({
    code: 0,
  })
  await until({ what: 'the machines are gone', withinMs: 120_000 }, async () => {
    const left = await herd.instances()
    return left.length === 0 && before.every((own) => !existsSync(cachesOf(own)))
  })
})
