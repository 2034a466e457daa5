/**
 * Bad hardware for a while: machines fail their burn-in, are set aside, and the herd comes up once
 * new ones are good.
 */
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

async function hardware(rate: number): Promise<void> {
  const answer = await fetch(`${child.url}/local/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ hardware: { check: 'cpu', rate } }),
  })
  expect(answer.ok).toBe(true)
}

it('sets bad machines aside, buys sparingly, and recovers', async () => {
  await hardware(1)
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
  await hardware(0)
  await settled(herd, 150_000)
})
