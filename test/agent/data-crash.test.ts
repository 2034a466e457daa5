/**
 * An agent that is killed in the middle of a fetch, again and again: what it leaves never looks
 * whole, and the next goes on where it was.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { dataKey, type Data } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { openDataCache } from '#agent/adapters/data/cache.ts'
import { removeDirectory } from '#agent/adapters/files.ts'
import { manifestOf, sha256Of, startDataServer, type DataServer } from './data-server.ts'
import { temporaryDirectory } from './world.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const FETCHER = join(import.meta.dirname, 'data-fetcher.ts')
const KILLS = 12

let server: DataServer
let home: ReturnType<typeof temporaryDirectory>
beforeEach(async () => {
  server = await startDataServer()
  home = temporaryDirectory()
})
afterEach(async () => {
  await server.close()
  removeDirectory(home.path)
})

/** Kills it so long after it said that it begins; undefined lets it end. */
function fetchIn(directory: string, data: Data, killAfterMs?: number): Promise<string> {
  const child = spawn(process.execPath, [FETCHER, directory, JSON.stringify(data)], { cwd: ROOT })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const isFirst = said === ''
    said += chunk.toString()
    if (isFirst && killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  })
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return new Promise((resolve) => {
    child.once('close', () => {
      resolve(said)
    })
  })
}

it.each([['with a manifest'], ['without one']])(
  'is gone on with, %s, and never whole with a byte missing',
  { timeout: 60_000 },
  async (how) => {
    const objects = new Map(
      Array.from({ length: 24 }, (_, n) => [`part-${String(n)}`, randomBytes(150_000)] as const),
    )
    const single = randomBytes(24 * 150_000)
    server.objects.set('single.bin', single)
    for (const [path, bytes] of objects) server.objects.set(`v1/${path}`, bytes)
    server.objects.set('v1.json', Buffer.from(manifestOf(server.objects, 'v1/')))
    const [source, manifest] = [`${server.url}/v1/`, `${server.url}/v1.json`]
    const data: Data =
      how === 'with a manifest'
        ? { version: '1', source, manifest }
        : { version: '1', source: `${server.url}/single.bin` }
    const expected =
      how === 'with a manifest' ? objects : new Map([['single.bin', single] as const])
    server.pauseMs = 4
    const directory = join(home.path, 'data')
    const known = join(directory, 'known', `${dataKey(data)}.json`)
    for (let round = 0; round < KILLS; round += 1) {
      await fetchIn(directory, data, round * 6)
      if (existsSync(known)) checkWhole(directory, expected)
    }
    expect(await fetchIn(directory, data)).toContain('whole')
    // A kill costs no more than what was under way.
    const parts = server.asked.filter((path) => path.startsWith('v1/'))
    expect(parts.length).toBeLessThanOrEqual(24 + KILLS * LIMITS.dataObjectsAtOnce)
    checkWhole(directory, expected)
    const kept = openDataCache({
      ...{
        directory,
        allowFiles: false,
        maxPercent: 100,
        fullPercent: 100,
        s3: { region: 'us-east-1' },
      },
      log: silentLogger,
    })
    expect(kept.whole()).toHaveLength(1)
    kept.close()
  },
)

function checkWhole(directory: string, expected: ReadonlyMap<string, Buffer>): void {
  const cache = openDataCache({
    ...{
      directory,
      allowFiles: false,
      maxPercent: 100,
      fullPercent: 100,
      s3: { region: 'us-east-1' },
    },
    log: silentLogger,
  })
  const [whole] = cache.whole()
  cache.close()
  if (whole === undefined) throw new Error('known, and not whole')
  for (const [path, bytes] of expected) {
    expect(sha256Of(readFileSync(join(whole.path, path)))).toBe(sha256Of(bytes))
  }
}
