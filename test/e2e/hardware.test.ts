/**
 * Bad hardware for a while: machines fail their burn-in, are set aside, and the herd comes up once
 * new ones are good.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCommand, startChild, type DroverChild } from '#local/demo/child.ts'
import { makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { QUICKSTART, settled, sweepDirectory, temporaryDirectory } from './kit.ts'

let directory = ''
let child: DroverChild
let herd: Herd

beforeAll(async () => {
  directory = temporaryDirectory('hardware')
  child = await startChild({ stateDirectory: directory })
  herd = makeHerd(child.url)
})
afterAll(async () => {
  await child.end('SIGTERM')
  sweepDirectory(directory)
})

async function hardware(check: 'cpu' | 'gpu', rate: number): Promise<void> {
  const answer = await fetch(`${child.url}/local/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ hardware: { check, rate } }),
  })
  expect(answer.ok).toBe(true)
}

it('sets bad machines aside, buys sparingly, and recovers', async () => {
  await hardware('cpu', 1)
  expect(await runCommand(child.url, ['apply', '-f', QUICKSTART])).toMatchObject({ code: 0 })
  const quarantined = async (): Promise<number> =>
    (await herd.nodes()).filter(({ phase }) => phase === 'quarantined').length
  await until({ what: 'several machines are set aside', withinMs: 60_000 }, async () => {
    return (await quarantined()) >= 4
  })
  const onTrial = (await herd.nodes()).filter(({ phase }) => phase !== 'quarantined')
  expect(onTrial.length).toBeLessThanOrEqual(4)
  const ready = (await herd.workloads()).map(({ status }) => status.ready)
  expect(ready).toEqual([0, 0, 0])
  await hardware('cpu', 0)
  await settled(herd, 150_000)
})

const GPU_JOB = `
kind: Pool
name: checked
instances: { types: [g4dn.xlarge] }
burnIn: { checks: [gpu-quick], quarantineSeconds: 0 }
---
kind: Workload
name: checked-job
replicas: 1
command: [sh, -c, 'exec sleep 600']
resources: { cpu: 500m, memory: 128Mi, gpu: 1 }
placement: { pools: [checked] }
`

it('remembers a bad GPU, and refuses it when the cloud hands it back', async () => {
  const path = join(directory, 'gpu-job.yaml')
  writeFileSync(path, GPU_JOB)
  await hardware('gpu', 1)
  expect(await runCommand(child.url, ['apply', '-f', path])).toMatchObject({ code: 0 })
  const failures = new Map<string, string>()
  const look = async (): Promise<ReadonlyMap<string, string>> => {
    for (const { name, pool, burnIn } of await herd.nodes()) {
      const failed = burnIn?.checks.find((own) => own.verdict === 'FAIL')
      if (pool === 'checked' && failed !== undefined) failures.set(name, failed.name)
    }
    return failures
  }
  await until({ what: 'a GPU fails and is refused later', withinMs: 120_000 }, async () => {
    const seen = new Set((await look()).values())
    await fetch(`${child.url}/v1/pools/checked/release-brake`, { method: 'POST' })
    return seen.has('gpu-memory') && seen.has('hardware')
  })
  await hardware('gpu', 0)
  // Places where machines failed are closed for a while; another type need not wait for them.
  writeFileSync(path, GPU_JOB.replace('g4dn.xlarge', 'g4dn.2xlarge'))
  expect(await runCommand(child.url, ['apply', '-f', path])).toMatchObject({ code: 0 })
  await settled(herd, 150_000)
  await look()
  const bad = [...failures.values()]
  expect(bad.every((own) => own === 'gpu-memory' || own === 'hardware')).toBe(true)
  const [good] = (await herd.nodes()).filter(
    (own) => own.pool === 'checked' && own.phase === 'ready',
  )
  expect(good?.burnIn).toMatchObject({ verdict: 'PASS' })
  expect(good?.burnIn?.checks.map((own) => own.name)).toEqual(
    expect.arrayContaining(['gpu-devices', 'gpu-memory', 'gpu-link', 'gpu-xid', 'dcgm']),
  )
})

const MENDED = `
kind: Pool
name: mended
instances: { types: [c6a.xlarge] }
burnIn: { checks: [cpu], onFailure: reboot }
---
kind: Workload
name: mended-web
replicas: 1
command: [sh, -c, 'exec sleep 600']
resources: { cpu: 500m, memory: 128Mi }
placement: { pools: [mended] }
`

it('mends a machine that a reboot can mend, and keeps it', async () => {
  const path = join(directory, 'mended.yaml')
  writeFileSync(path, MENDED)
  await hardware('cpu', 1)
  expect(await runCommand(child.url, ['apply', '-f', path])).toMatchObject({ code: 0 })
  const first = async () => (await herd.nodes()).find(({ pool }) => pool === 'mended')
  await until({ what: 'it is tested', withinMs: 60_000 }, async () => {
    return (await first())?.phase === 'testing'
  })
  // Its agent has the fault until it starts anew.
  await hardware('cpu', 0)
  const name = (await first())?.name
  await until({ what: 'it is mended', withinMs: 60_000 }, async () => {
    return (await first())?.phase === 'ready'
  })
  expect(
    (await herd.nodes()).filter(({ pool }) => pool === 'mended').map((own) => own.name),
  ).toEqual([name])
  await settled(herd)
  const { out } = await runCommand(child.url, ['events', '--object', `node/${String(name)}`])
  const told = out.split('\n').flatMap((line) => /(BurnInRepair|Admitted|Ready).*/.exec(line) ?? [])
  expect(told.join('\n')).toMatch(/looked at once more[^]*rebooted/)
})
