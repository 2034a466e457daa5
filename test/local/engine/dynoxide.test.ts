/** The engine's life: started, found, ended, and never mistaken for another process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findEngine, startEngine, stopStray } from '#local/engine/dynoxide.ts'
import { identityOf, isAlive } from '#local/engine/process-identity.ts'
import { makeDynamoClient } from '#shared/store/aws/dynamo-client.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { createTables } from '#shared/store/aws/tables.ts'
import { engineClientConfig } from '#local/engine/dynoxide.ts'

const binary = findEngine()!
let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'drover-engine-'))
})
afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

describe.skipIf(findEngine() === undefined)('the engine', () => {
  it('starts on a free port, answers, and ends', async () => {
    const pidFile = join(dir, 'run', 'engine.json')
    const engine = await startEngine({ binary, pidFile })
    const identity = identityOf(engine.pid)
    expect(identity).toEqual(JSON.parse(readFileSync(pidFile, 'utf8')))
    expect((await fetch(engine.endpoint)).status).toBe(200)
    await engine.stop()
    await engine.exited
    expect(isAlive(identity!)).toBe(false)
    expect(existsSync(pidFile)).toBe(false)
    await engine.stop()
  })

  it('keeps its tables in a file, through a kill, on the port it had', async () => {
    const dbPath = join(dir, 'db', 'table.db')
    const names = { main: 'main', history: 'history' }
    const first = await startEngine({ binary, dbPath })
    const client = makeDynamoClient(engineClientConfig(first.endpoint))
    await createTables(client, names)
    const store = makeDynamoStore({ client, tableName: names.main })
    await store.write({ kind: 'put', item: { pk: 'a', sk: 'b', n: 1 } })
    process.kill(first.pid, 'SIGKILL')
    await first.exited
    await expect(store.get({ pk: 'a', sk: 'b' })).rejects.toMatchObject({ code: 'StoreFailed' })
    const second = await startEngine({ binary, dbPath, port: first.port })
    try {
      await createTables(client, names)
      expect(await store.get({ pk: 'a', sk: 'b' })).toEqual({ pk: 'a', sk: 'b', n: 1 })
    } finally {
      client.destroy()
      await second.stop()
    }
  })

  it('left by a crash is ended by its pid file', async () => {
    const pidFile = join(dir, 'engine.json')
    const engine = await startEngine({ binary, pidFile })
    expect(await stopStray(pidFile)).toBe(true)
    await engine.exited
    expect(existsSync(pidFile)).toBe(false)
    expect(await stopStray(pidFile)).toBe(false)
  })

  it('says so when its port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    await expect(startEngine({ binary, port })).rejects.toMatchObject({
      code: 'EngineFailed',
      seen: port,
    })
    server.close()
  })

  it('says so when it cannot start', async () => {
    const dbPath = join(dir, 'not-a-database')
    writeFileSync(dbPath, 'x'.repeat(8_192))
    const pidFile = join(dir, 'engine.json')
    await expect(startEngine({ binary, dbPath, pidFile })).rejects.toThrow('EngineFailed')
    expect(existsSync(pidFile)).toBe(false)
    await expect(startEngine({ binary: join(dir, 'none') })).rejects.toThrow('EngineFailed')
  })
})

describe('a pid file', () => {
  it('whose process is another now kills nobody', async () => {
    const child = spawn('sleep', ['30'], { stdio: 'ignore' })
    try {
      const pidFile = join(dir, 'engine.json')
      writeFileSync(pidFile, JSON.stringify({ pid: child.pid, born: 'another-boot/1' }))
      expect(await stopStray(pidFile)).toBe(false)
      expect(child.exitCode).toBeNull()
      expect(child.signalCode).toBeNull()
    } finally {
      child.kill('SIGKILL')
    }
  })

  it('that is missing or spoilt means that there is no engine', async () => {
    const pidFile = join(dir, 'engine.json')
    expect(await stopStray(pidFile)).toBe(false)
    writeFileSync(pidFile, '{"pid":')
    expect(await stopStray(pidFile)).toBe(false)
    expect(existsSync(pidFile)).toBe(false)
  })
})
