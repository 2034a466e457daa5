import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import {
  openProcessRuntime,
  type ProcessRuntime,
  type ProcessRuntimeOptions,
} from '#agent/adapters/process-runtime.ts'
import { openPortBook } from '#agent/adapters/ports-in-use.ts'
import { isAlive, processesOf, signalPid, startTimeOf } from '#agent/adapters/processes.ts'
import type { RunningProcess } from '#agent/events.ts'
import type { Exit } from '#agent/ports.ts'
import { launchOf, temporaryDirectory, until } from './world.ts'

let directory: { path: string; remove: () => void }
let instanceId: string
let exits: Exit[]
const open: ProcessRuntime[] = []

function runtime(extra: Partial<ProcessRuntimeOptions> = {}): ProcessRuntime {
  const opened = openProcessRuntime({
    directory: directory.path,
    instanceId,
    bootId: 'boot-1',
    address: '127.0.0.1',
    ports: openPortBook(),
    environment: { PATH: process.env.PATH, SECRET: 'of the agent' },
    log: silentLogger,
    adoptedPollMs: 30,
    ...extra,
  })
  // Bound here: an exit that comes after its test must not be told to the next.
  const mine = exits
  opened.onExit((exit) => mine.push(exit))
  open.push(opened)
  return opened
}

async function started(
  own: ProcessRuntime,
  ...args: Parameters<typeof launchOf>
): Promise<RunningProcess> {
  const result = await own.start(launchOf(...args), {})
  if ('failed' in result) throw new Error(result.failed)
  return result.started
}

const shell = (script: string): { command: string[] } => ({ command: ['bash', '-c', script] })
const logOf = (id: string): string =>
  readFileSync(join(directory.path, 'logs', `${id}.log`), 'utf8')
const logged = (id: string, text: string): Promise<boolean> =>
  until(
    `${text} in the log of ${id}`,
    () => existsSync(join(directory.path, 'logs', `${id}.log`)) && logOf(id).includes(text),
  )
const journal = (): { pid: number; replicaId: string }[] =>
  JSON.parse(readFileSync(join(directory.path, 'processes.json'), 'utf8'))

beforeEach(() => {
  directory = temporaryDirectory()
  instanceId = `i-${String(process.pid)}-${String(performance.now()).replace('.', '')}`
  exits = []
})
afterEach(() => {
  for (const own of open.splice(0)) own.close()
  for (const left of processesOf({ instanceId })) signalPid(left.pid, 'SIGKILL')
  directory.remove()
})

describe('a started replica', () => {
  it('has the environment that is promised, and nothing of the agent’s own', async () => {
    const template = {
      ...shell('env; pwd'),
      env: {
        GREETING: 'hi',
        DROVER_NODE: 'a lie',
        DROVER_AGENT_DIR: '/elsewhere',
        DROVER_DATA: '/',
      },
      ports: [{ name: 'http' }, { name: 'grpc-2' }],
    }
    const gpus = [
      { index: 1, milli: 1000 },
      { index: 3, milli: 500 },
    ]
    const { ports, addresses } = await started(runtime(), 'web/1-1', template, {
      ...{ gpus, dataPath: '/cache/sets/k/d' },
    })
    await until('its end', () => exits[0])
    const lines = logOf('web.1-1').split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'GREETING=hi',
        'DROVER_REPLICA_ID=web/1-1',
        'DROVER_WORKLOAD=web',
        'DROVER_NODE=node-1',
        'DROVER_DATA=/cache/sets/k/d',
        `DROVER_AGENT_DIR=${directory.path}`,
        `DROVER_INSTANCE_ID=${instanceId}`,
        'CUDA_VISIBLE_DEVICES=1,3',
        `PORT=${String(ports.http)}`,
        `PORT_HTTP=${String(ports.http)}`,
        `PORT_GRPC_2=${String(ports['grpc-2'])}`,
        join(directory.path, 'replicas', 'web.1-1'),
      ]),
    )
    expect(lines.join('\n')).not.toContain('SECRET')
    expect(addresses.http).toBe(`127.0.0.1:${String(ports.http)}`)
    expect(exits).toEqual([{ replicaId: 'web/1-1', pid: expect.any(Number) as number, code: 0 }])
  })

  it('writes both streams to its log and is in the journal while it runs', async () => {
    const own = runtime()
    const { pid } = await started(own, 'web/1-1', shell('echo out; echo err >&2; exec sleep 60'))
    await logged('web.1-1', 'err')
    expect(logOf('web.1-1')).toContain('out\n')
    expect(journal()).toMatchObject([{ replicaId: 'web/1-1', pid, bootId: 'boot-1' }])
  })

  it('tells how it ended', async () => {
    const own = runtime()
    await started(own, 'web/1-1', shell('exit 7'))
    await until('the exit', () => exits[0])
    const { pid, startTime } = await started(own, 'web/1-2', shell('exec sleep 60'))
    own.signal({ replicaId: 'web/1-2', pid, startTime }, 'SIGKILL')
    await until('the kill', () => exits[1])
    expect(exits).toMatchObject([{ code: 7 }, { signal: 'SIGKILL' }])
    expect(journal()).toEqual([])
  })

  it('is asked with its whole group, and what outlives its leader is ended', async () => {
    const own = runtime()
    // The second child has left the group and the third ignores every request.
    const children = `sleep 61 & setsid sleep 62 & (trap '' TERM; exec sleep 63) &`
    const script = `${children} trap 'exit 0' TERM; echo up; wait`
    const target = await started(own, 'web/1-1', shell(script))
    await logged('web.1-1', 'up')
    await until('four processes', () => processesOf({ instanceId }).length === 4)
    own.signal({ replicaId: 'web/1-1', ...target }, 'SIGTERM')
    await until('its end', () => exits[0])
    expect(exits[0]).toMatchObject({ code: 0 })
    await until('no process of it', () => processesOf({ instanceId }).length === 0)
  })

  it('that ignores the request is killed', async () => {
    const own = runtime()
    const target = await started(
      own,
      'web/1-1',
      shell(`trap '' TERM; echo up; while :; do sleep 0.1; done`),
    )
    await logged('web.1-1', 'up')
    own.signal({ replicaId: 'web/1-1', ...target }, 'SIGTERM')
    await sleep(150)
    expect(isAlive(target)).toBe(true)
    own.signal({ replicaId: 'web/1-1', ...target }, 'SIGKILL')
    expect(await until('its end', () => exits[0])).toMatchObject({ signal: 'SIGKILL' })
  })

  it('is not signalled by a number that somebody else bears', async () => {
    const own = runtime()
    const target = await started(own, 'web/1-1', shell('exec sleep 60'))
    own.signal({ replicaId: 'web/1-1', pid: target.pid, startTime: 'another' }, 'SIGKILL')
    await sleep(100)
    expect(isAlive(target)).toBe(true)
  })

  it('keeps its port where that is free, and takes another where not', async () => {
    const own = runtime()
    const template = { ...shell('exec sleep 60'), ports: [{ name: 'http' }] }
    const first = await started(own, 'web/1-1', template)
    const asked = await own.start(launchOf('web/1-2', template), first.ports)
    expect(asked).toHaveProperty('started')
    if (!('started' in asked)) return
    expect(asked.started.ports.http).not.toBe(first.ports.http)
    own.signal({ replicaId: 'web/1-1', ...first }, 'SIGKILL')
    await until('the first one’s end', () => exits[0])
    const again = await own.start(launchOf('web/1-1', template), first.ports)
    expect(again).toMatchObject({ started: { ports: first.ports } })
  })

  it('gets no second process', async () => {
    const own = runtime()
    await started(own, 'web/1-1', shell('exec sleep 60'))
    expect(await own.start(launchOf('web/1-1', shell('true')), {})).toEqual({
      failed: 'AlreadyRuns',
    })
  })

  it('finds its ports in its command line', async () => {
    const template = {
      command: ['echo', '$(PORT_HTTP)', '$$(PORT_HTTP)', '$(NOBODY)'],
      ports: [{ name: 'http' }],
    }
    const { ports } = await started(runtime(), 'web/1-1', template)
    await until('its end', () => exits[0])
    expect(logOf('web.1-1')).toBe(`${String(ports.http)} $(PORT_HTTP) $(NOBODY)\n`)
  })
})

describe('a command that cannot start', () => {
  it('one that is not there', async () => {
    const result = await runtime().start(launchOf('web/1-1', { command: ['no-such-program'] }), {})
    expect(result).toEqual({ failed: 'CommandNotFound: no-such-program' })
    expect(exits).toEqual([])
  })

  it('one that is no program', async () => {
    const path = join(directory.path, 'notes.txt')
    writeFileSync(path, 'nothing to run', { mode: 0o644 })
    const result = await runtime().start(launchOf('web/1-1', { command: [path] }), {})
    expect(result).toEqual({ failed: `CommandNotExecutable: ${path}` })
  })

  it('a directory that cannot be made', async () => {
    writeFileSync(join(directory.path, 'replicas'), 'in the way')
    const result = await runtime().start(launchOf('web/1-1', shell('true')), {})
    expect(result).toMatchObject({ failed: expect.stringContaining('StartFailed') as string })
  })
})

describe('an agent that comes back', () => {
  it('adopts what still runs and sees it end', async () => {
    const before = runtime()
    const { pid, startTime, ports } = await started(before, 'web/1-1', {
      ...shell('exec sleep 60'),
      ports: [{ name: 'http' }],
    })
    before.close()
    const after = runtime()
    expect(after.adopt()).toMatchObject([
      { replicaId: 'web/1-1', workload: 'web', version: 'v1', process: { pid, startTime, ports } },
    ])
    after.signal({ replicaId: 'web/1-1', pid, startTime }, 'SIGTERM')
    const exit = await until('the adopter to see it', () => exits[0])
    // No child of its own: it only sees that the process is gone, not how.
    expect(exit).toEqual({ replicaId: 'web/1-1', pid })
  })

  it('finds by its environment what no journal knows', async () => {
    const before = runtime()
    const { pid, ports } = await started(before, 'web/1-1', {
      ...shell('sleep 60 & exec sleep 60'),
      ports: [{ name: 'grpc-2' }],
    })
    before.close()
    await until('both', () => processesOf({ instanceId }).length === 2)
    rmSync(join(directory.path, 'processes.json'))
    expect(runtime().adopt()).toMatchObject([
      {
        replicaId: 'web/1-1',
        workload: 'web',
        version: 'v1',
        graceSeconds: 5,
        process: { pid, ports },
      },
    ])
    expect(journal()).toMatchObject([{ pid }])
  })

  it('ends what a dead replica left behind', async () => {
    const left = spawn('sleep', ['60'], {
      detached: true,
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH,
        DROVER_REPLICA_ID: 'web/1-1',
        DROVER_INSTANCE_ID: instanceId,
        DROVER_AGENT_DIR: directory.path,
      },
    })
    const dead = {
      replicaId: 'web/1-1',
      workload: 'web',
      version: 'v1',
      bootId: 'boot-1',
      pid: 2 ** 22 + 1,
      startTime: '1',
      startedAtMs: 0,
      ports: {},
      gpus: [],
      graceSeconds: 5,
    }
    writeFileSync(join(directory.path, 'processes.json'), JSON.stringify([dead]))
    await until('the orphan', () => processesOf({ instanceId }).length === 1)
    expect(runtime().adopt()).toEqual([])
    await until('its end', () => startTimeOf(left.pid!) === undefined)
  })

  it('leaves another herd alone, though its instance has the same id', async () => {
    const theirs = spawn('sleep', ['60'], {
      detached: true,
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH,
        DROVER_REPLICA_ID: 'web/1-1',
        DROVER_INSTANCE_ID: instanceId,
        DROVER_AGENT_DIR: '/elsewhere',
      },
    })
    await until('their process', () => processesOf({ instanceId }).length === 1)
    expect(runtime().adopt()).toEqual([])
    expect(startTimeOf(theirs.pid!)).toBeDefined()
    theirs.kill('SIGKILL')
  })

  it('believes no journal of another boot, nor one it cannot read', async () => {
    const before = runtime()
    const { pid } = await started(before, 'web/1-1', shell('exec sleep 60'))
    before.close()
    const path = join(directory.path, 'processes.json')
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replace('boot-1', 'boot-0').replace(instanceId, 'i-other'))
    const other = runtime({ instanceId: 'i-other' })
    expect(other.adopt()).toEqual([])
    other.close()
    writeFileSync(path, '{ half a fi')
    expect(runtime().adopt()).toMatchObject([{ process: { pid } }])
  })
})

describe('logs', () => {
  it('are cut while the replica goes on writing, and a bounded number is kept', async () => {
    const own = runtime({ logLimits: { maxBytes: 2_000, keptFiles: 2 }, logCheckMs: 40 })
    const line = 'x'.repeat(99)
    await started(
      own,
      'web/1-1',
      shell(`while :; do for i in 1 2 3 4 5 6 7 8; do echo ${line}; done; sleep 0.01; done`),
    )
    const logs = join(directory.path, 'logs')
    await until('two old files', () => readdirSync(logs).includes('web.1-1.log.2'))
    const size = (): number => statSync(join(logs, 'web.1-1.log')).size
    await until('a cut', async () => {
      const before = size()
      await sleep(5)
      return size() < before
    })
    await until('writing to go on', async () => {
      const before = size()
      await sleep(15)
      return size() > before
    })
    // While one is being moved, a look may find two of the three; never a fourth.
    const kept = ['web.1-1.log', 'web.1-1.log.1', 'web.1-1.log.2']
    for (let look = 0; look < 20; look += 1) {
      for (const name of readdirSync(logs)) expect(kept).toContain(name)
      await sleep(5)
    }
    // In append mode the writer goes on at the new end: no hole of zeros where the old text was.
    expect(logOf('web.1-1')).not.toContain('\0')
  })

  it('stay when the replica’s directory goes', async () => {
    const own = runtime()
    await started(own, 'web/1-1', shell('echo last words; touch file'))
    await until('its end', () => exits[0])
    await own.cleanUp('web/1-1')
    expect(readdirSync(join(directory.path, 'replicas'))).toEqual([])
    expect(logOf('web.1-1')).toBe('last words\n')
  })

  it('never lets a strange id climb out of its directory', async () => {
    await expect(runtime().cleanUp('..')).rejects.toThrow('a replica id begins with')
  })
})
