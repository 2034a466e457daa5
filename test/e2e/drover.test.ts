/**
 * The local drover as a person meets it: two commands, a herd, and what may go wrong at the edges.
 */
import { request } from 'node:http'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChildError, runCommand, startChild, type DroverChild } from '#local/demo/child.ts'
import { makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { processesOf } from '#local/demo/processes-of.ts'
import { watchService } from '#local/demo/watch.ts'
import { clean, QUICKSTART, settled, sweepDirectory, temporaryDirectory } from './kit.ts'

/** Ten on an idle machine; tests share theirs. */
const READY_MS = 45_000

let directory = ''
let child: DroverChild
let herd: Herd

beforeAll(async () => {
  directory = temporaryDirectory('drover')
  child = await startChild({ stateDirectory: directory })
  herd = makeHerd(child.url)
})
afterAll(async () => {
  await child.end('SIGTERM')
  sweepDirectory(directory)
})

const drover = (...argv: string[]): ReturnType<typeof runCommand> => runCommand(child.url, argv)

describe('a first session', () => {
  it('applies the quickstart and has it ready', async () => {
    const applied = await drover('apply', '-f', QUICKSTART)
    expect(applied).toMatchObject({ code: 0, err: '' })
    expect(applied.out).toContain('workload/web created')
    await settled(herd, READY_MS)
    const kinds = (await herd.instances()).map(({ capacityType }) => capacityType)
    expect(new Set(kinds)).toEqual(new Set(['spot', 'on-demand']))
    if (process.platform === 'linux') await clean(herd, directory)
  })

  it('shows it all', async () => {
    const nodes = await drover('get', 'nodes')
    expect(nodes).toMatchObject({ code: 0, err: '' })
    expect(nodes.out).toMatch(/^NAME +STATE +TYPE/)
    expect(nodes.out).toMatch(/g\w+\.\w+ .* 1\/1 /)
    expect(nodes.out).toMatch(/on-demand/)
    const replicas = await drover('get', 'replicas', '--json')
    const { items } = JSON.parse(replicas.out) as { items: { ready: boolean }[] }
    expect(items.map(({ ready }) => ready)).toEqual(Array(6).fill(true))
    const events = await drover('events')
    expect(events.out).toMatch(/workload\/web/)
    const cost = await drover('cost')
    expect(cost).toMatchObject({ code: 0, err: '' })
  })

  it('tells a workload that fits nowhere why, and lets the others be', async () => {
    const path = join(directory, 'greedy.yaml')
    const greedy = [
      'kind: Workload',
      'name: greedy',
      'replicas: 1',
      'command: [sleep, "1000"]',
      'resources: {gpu: 9}',
      'tolerations: [{key: accelerator, value: gpu}]',
      'placement: {pools: [gpu]}',
    ]
    writeFileSync(path, greedy.join('\n'))
    expect(await drover('apply', '-f', path)).toMatchObject({ code: 0 })
    const told = await until({ what: 'a reason is given', withinMs: 15_000 }, async () => {
      const { out } = await drover('explain', 'greedy')
      return out.includes('needs 9 GPUs') && out
    })
    expect(told).toMatch(/needs 9 GPUs; the largest type in pool gpu has \d/)
    const others = (await herd.workloads()).filter(({ name }) => name !== 'greedy')
    expect(others.map(({ status }) => status.ready)).toEqual([1, 3, 2])
    expect(await drover('delete', 'workload', 'greedy')).toMatchObject({ code: 0 })
    await until({ what: 'greedy is gone', withinMs: 20_000 }, async () =>
      (await herd.workloads()).every(({ name }) => name !== 'greedy'),
    )
  })

  it('moves a called web service off an interrupted machine without a failed call', async () => {
    const node = (await herd.nodes()).find(
      (own) => own.capacityType === 'spot' && own.replicas.some((id) => id.startsWith('web/')),
    )
    const watch = watchService(() => herd, 'web')
    const noticeSeconds = 30
    const path = `/local/instances/${node?.instanceId ?? ''}/interrupt`
    await herd.send('POST', path, { noticeSeconds })
    const deadlineMs = Date.now() + noticeSeconds * 1000
    await until({ what: 'the node is gone', withinMs: 60_000 }, async () =>
      (await herd.nodes()).every(({ name }) => name !== node?.name),
    )
    await settled(herd)
    const seen = await watch.stop()
    expect(seen.calls).toBeGreaterThan(50)
    const isExcused = (failure: { node: string; atMs: number }): boolean =>
      failure.node === node?.name && failure.atMs >= deadlineMs
    expect(seen.failures.filter((failure) => !isExcused(failure))).toEqual([])
    expect(seen.fewestReady).toBeGreaterThanOrEqual(2)
    if (process.platform === 'linux') await clean(herd, directory)
  })
})

type Answer = { status: number; type: string; body: string }

function ask(
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${child.url}${path}`,
      { method, agent: false, ...(options.headers && { headers: options.headers }) },
      (response) => {
        let body = ''
        response.on('data', (chunk: Buffer) => (body += chunk.toString()))
        response.on('end', () => {
          const type = response.headers['content-type'] ?? ''
          resolve({ status: response.statusCode ?? 0, type, body })
        })
      },
    )
    sent.on('error', reject)
    sent.end(options.body)
  })
}

const JSON_TYPE = { 'content-type': 'application/json' }

describe('what a client gets wrong', () => {
  const path = '/v1/workloads/web'
  it.each([
    ['an unknown path', 'GET', '/nothing', {}, 404],
    ['an unknown control', 'POST', '/local/nothing', {}, 404],
    ['a wrong method', 'PATCH', path, {}, 405],
    ['a wrong method of a control', 'GET', '/local/market', {}, 405],
    ['a method that no API knows', 'PROPFIND', path, {}, 405],
    ['a method that the platform forbids', 'TRACE', path, {}, 405],
    ['no JSON', 'PUT', path, { headers: JSON_TYPE, body: '{' }, 400],
    ['10 MB', 'PUT', path, { headers: JSON_TYPE, body: `"${'x'.repeat(1e7)}"` }, 413],
    ['deep nesting', 'PUT', path, { headers: JSON_TYPE, body: '['.repeat(5e4) }, 400],
    ['an unknown instance', 'POST', '/local/instances/i-0/kill', {}, 404],
    ['an unknown type', 'POST', '/local/market', market({ instanceType: 'm1.tiny' }), 422],
    ['nothing to set', 'POST', '/local/market', market({}), 422],
    ['a rate above one', 'POST', '/local/faults', faults({ deliver: { drop: 2 } }), 422],
    ['an unknown fault', 'POST', '/local/faults', faults({ rain: 1 }), 422],
    ['no body', 'POST', '/local/faults', {}, 400],
  ])('%s is a 4xx with a problem', async (...row) => {
    const [, method, at, options, status] = row
    const answer = await ask(method, at, options)
    expect(answer).toMatchObject({ status, type: 'application/problem+json' })
    expect(JSON.parse(answer.body)).toMatchObject({ status, detail: expect.any(String) as string })
  })

  it('names every fault of a spec', async () => {
    const body = JSON.stringify({ kind: 'Workload', name: 'web', replicas: -1, comand: ['x'] })
    const answer = await ask('PUT', path, { headers: JSON_TYPE, body })
    const { errors } = JSON.parse(answer.body) as { errors: { path: string }[] }
    expect(answer.status).toBe(422)
    expect(errors.map((fault) => fault.path)).toEqual(
      expect.arrayContaining(['replicas', 'comand']),
    )
  })
})

function market(change: object): { headers: Record<string, string>; body: string } {
  const place = { instanceType: 'm7a.large', zone: 'us-east-1a', capacityType: 'spot' }
  return { headers: JSON_TYPE, body: JSON.stringify({ ...place, ...change }) }
}

function faults(change: object): { headers: Record<string, string>; body: string } {
  return { headers: JSON_TYPE, body: JSON.stringify(change) }
}

describe('a second drover', () => {
  it('is refused the same state, with a sentence', async () => {
    const second = startChild({ stateDirectory: directory })
    await expect(second).rejects.toThrow(ChildError)
    await expect(second).rejects.toThrow(/already runs on .*\(pid \d+, http:/)
  })

  it('is refused the same port', async () => {
    const other = temporaryDirectory('port')
    const port = Number(new URL(child.url).port)
    await expect(startChild({ stateDirectory: other, port })).rejects.toThrow(/port \d+ is taken/)
    sweepDirectory(other)
  })

  it('is told what it misspelt', async () => {
    const second = startChild({ stateDirectory: directory, args: ['--sped', '2'] })
    await expect(second).rejects.toThrow(/\(2\)[\s\S]*Unknown option '--sped'/)
  })
})

describe.runIf(process.platform === 'linux')('the end', () => {
  it('ends every process at SIGTERM, and the next start has it all back', async () => {
    expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(processesOf(directory)).toEqual([])
    child = await startChild({ stateDirectory: directory })
    herd = makeHerd(child.url)
    await until({ what: 'the machines of the last run are seen off', withinMs: 20_000 }, async () =>
      (await herd.workloads()).every(({ status }) => status.ready < status.desired),
    )
    await settled(herd)
    await clean(herd, directory)
  })

  it('empties the herd when everything is deleted', async () => {
    expect(await drover('delete', '-f', QUICKSTART)).toMatchObject({ code: 0 })
    await until({ what: 'no node is left', withinMs: 60_000 }, async () => {
      const [nodes, instances] = await Promise.all([herd.nodes(), herd.instances()])
      return nodes.length + instances.length === 0
    })
    expect(processesOf(directory)).toHaveLength(2)
  })

  it('forgets the herd when asked to', async () => {
    expect(await drover('apply', '-f', QUICKSTART)).toMatchObject({ code: 0 })
    await settled(herd, READY_MS)
    await child.end('SIGKILL')
    expect(processesOf(directory).length).toBeGreaterThan(4)
    child = await startChild({ stateDirectory: directory, args: ['--fresh'] })
    herd = makeHerd(child.url)
    expect(await herd.workloads()).toEqual([])
    expect(await herd.instances()).toEqual([])
    expect(processesOf(directory)).toHaveLength(2)
  })
})
