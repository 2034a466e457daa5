/** The whole local drover in this process, without machines: its door, its levers, its end. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { processesOf } from '#local/demo/processes-of.ts'
import { startDrover, type LocalDrover } from '#local/drover.ts'
import { StartError } from '#local/errors.ts'
import { silentLogger } from '#shared/base/log.ts'

let root = ''
let drover: LocalDrover
const at = (name: string): string => join(root, name)

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'drover-local-')))
  drover = await startDrover({ port: 0, stateDirectory: at('one'), log: silentLogger })
})
afterAll(async () => {
  await drover.stop()
  expect(processesOf(at('one'))).toEqual([])
  rmSync(root, { recursive: true, force: true })
})

type Answer = { status: number; body: unknown }
async function ask(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${drover.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}

describe('the front door', () => {
  it('serves the admin API', async () => {
    expect(await ask('GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(await ask('GET', '/v1/nodes')).toEqual({ status: 200, body: { items: [] } })
  })

  it('answers a plan from the emulated market', async () => {
    const documents = [
      { kind: 'Pool', name: 'general' },
      { kind: 'Workload', name: 'web', replicas: 2, command: ['true'] },
    ]
    const { status, body } = await ask('POST', '/v1/plan', { documents })
    expect(status).toBe(200)
    const plan = z.object({ actions: z.array(z.object({ kind: z.string() })) }).parse(body)
    expect(plan.actions.map(({ kind }) => kind)).toContain('launch')
    expect(await ask('GET', '/v1/workloads')).toEqual({ status: 200, body: { items: [] } })
  })
})

describe('the levers', () => {
  it('change the market and tell how it stands', async () => {
    const place = { instanceType: 'm7a.large', zone: 'us-east-1b', capacityType: 'spot' }
    const change = { capacity: 0, priceUsdPerHour: 0.5 }
    const answer = await ask('POST', '/local/market', { ...place, ...change })
    expect(answer).toEqual({ status: 200, body: { ...place, ...change } })
  })

  it('make bad weather until it is changed', async () => {
    const said = {
      deliver: { drop: 0.1 },
      ec2: { throttle: 0.2 },
      hardware: { check: 'disk', rate: 1 },
    }
    const { body } = await ask('POST', '/local/faults', said)
    const stands = {
      deliver: { drop: 0.1, duplicate: 0, delayMs: 0 },
      ec2: { throttle: 0.2, loseResponses: 0 },
      hardware: [{ check: 'disk', rate: 1, intermittent: false }],
    }
    expect(body).toEqual(stands)
    expect(await ask('GET', '/local/faults')).toEqual({ status: 200, body: stands })
    const over = await ask('POST', '/local/faults', {
      deliver: {},
      ec2: { throttle: 0 },
      hardware: { check: 'disk', rate: 0 },
    })
    expect(over.body).toMatchObject({ deliver: { drop: 0 }, ec2: { throttle: 0 }, hardware: [] })
  })

  it('tell of the services behind the load balancer', async () => {
    expect(await ask('GET', '/local/services')).toEqual({ status: 200, body: { items: [] } })
    expect(await ask('POST', '/local/services')).toMatchObject({ status: 405 })
  })

  it('say what is wrong with a request', async () => {
    expect(
      await ask('POST', '/local/instances/i-1/interrupt', { noticeSeconds: -1 }),
    ).toMatchObject({ status: 422, body: { errors: [{ path: 'noticeSeconds' }] } })
    expect(await ask('POST', '/local/instances/i-1/hang')).toMatchObject({ status: 404 })
    expect(await ask('POST', '/local/instances/i-1/tickle')).toMatchObject({ status: 404 })
    expect(await ask('DELETE', '/local/instances')).toMatchObject({ status: 405 })
  })
})

describe('a start', () => {
  const options = { port: 0, log: silentLogger }

  it('fails on a directory that is in use, and leaves that drover be', async () => {
    const second = startDrover({ ...options, stateDirectory: at('one') })
    await expect(second).rejects.toThrow(StartError)
    expect(await ask('GET', '/healthz')).toMatchObject({ status: 200 })
  })

  it('fails on a taken port before it touches anything', async () => {
    const port = Number(new URL(drover.url).port)
    const second = startDrover({ ...options, port, stateDirectory: at('two') })
    await expect(second).rejects.toThrow(`port ${String(port)} is taken`)
  })

  it('names the faults of a market file', async () => {
    const second = startDrover({ ...options, stateDirectory: at('three'), marketFile: at('none') })
    await expect(second).rejects.toThrow(/none: /)
  })

  it('cannot keep a herd without an engine, and says so', async () => {
    const inMemory = { ...options, stateDirectory: at('four'), inMemory: true }
    await expect(startDrover({ ...inMemory, keepsState: true })).rejects.toThrow(
      /nothing can be kept/,
    )
    const second = await startDrover(inMemory)
    const answer = await fetch(`${second.url}/v1/pools`)
    expect(await answer.json()).toEqual({ items: [] })
    await second.stop()
    expect(processesOf(at('four'))).toEqual([])
  })
})
