/**
 * Fetching: what comes whole, what is gone on with, and what is never whole.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dataDigest, dataKey } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { CachedData } from '#agent/events.ts'
import type { FetchProgress } from '#agent/ports.ts'
import { manifestOf, sha256Of, type DataServer } from './data-server.ts'
import { contentOf, DataWorld, TWO } from './data-world.ts'
import { until } from './world.ts'

let world: DataWorld
beforeEach(async () => {
  world = await DataWorld.start()
})
afterEach(() => world.close())

describe('a version with a manifest', () => {
  it('comes whole, read-only, and is not asked for again', async () => {
    const data = world.version(TWO)
    const own = await world.whole(data)
    expect(contentOf(own.path)).toEqual({
      'model.bin': sha256Of(TWO['model.bin']),
      'index/0.txt': sha256Of(TWO['index/0.txt']),
    })
    expect(own).toMatchObject({ key: dataKey(data), bytes: 300_004 })
    const { objects } = JSON.parse(manifestOf(world.server.objects, 'v1/')) as {
      objects: Parameters<typeof dataDigest>[0]
    }
    expect(own.digest).toBe(dataDigest(objects))
    const modes = ['', 'index', 'model.bin'].map((at) => statSync(join(own.path, at)).mode & 0o777)
    expect(modes).toEqual([0o555, 0o555, 0o444])
    const before = world.server.asked.length
    expect(await world.whole(data, { digest: own.digest })).toEqual(own)
    expect(world.server.asked).toHaveLength(before)
  })

  it('is known to an agent that comes back', async () => {
    const own = await world.whole(world.version(TWO))
    expect(world.openCache().whole()).toEqual([own])
  })

  it('that is damaged on the disk is not, and comes again', async () => {
    const data = world.version(TWO)
    const { path } = await world.whole(data)
    rmSync(join(path, 'model.bin'), { force: true })
    const later = world.openCache()
    expect(later.whole()).toEqual([])
    expect(contentOf((await world.whole(data, { from: later })).path)).toHaveProperty(['model.bin'])
  })

  it('shares with other versions what is equal: that comes once, and lies there once', async () => {
    const first = await world.whole(world.version(TWO))
    const next = { ...TWO, 'index/0.txt': Buffer.from('one') }
    const before = world.server.asked.length
    const second = await world.whole(world.version(next, 'v2'))
    expect(world.server.asked.slice(before)).toEqual(['v2.json', 'v2/index/0.txt'])
    const inodes = [first, second].map(({ path }) => statSync(join(path, 'model.bin')).ino)
    expect(new Set(inodes).size).toBe(1)
  })

  it('shares with another that comes at the same time', async () => {
    const go = world.server.holdBack()
    const both = [
      world.whole(world.version(TWO)),
      world.whole(world.version({ 'a/b.bin': TWO['model.bin'] }, 'v2')),
    ]
    go()
    await Promise.all(both)
    const large = world.server.asked.filter((path) => path.endsWith('.bin'))
    expect(large).toHaveLength(1)
  })

  it('of many objects comes four at once', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 30 }, (_, n) => [`part-${String(n)}`, randomBytes(2_000)]),
    )
    const data = world.version(many)
    world.server.pauseMs = 5
    const { path } = await world.whole(data)
    expect(Object.keys(contentOf(path))).toHaveLength(30)
    expect(world.server.mostAtOnce()).toBe(LIMITS.dataObjectsAtOnce)
  })

  it('tells how far it is', async () => {
    const told: FetchProgress[] = []
    await world.whole(world.version(TWO), { told })
    expect(told[0]).toEqual({ fetchedBytes: 0, totalBytes: 300_004 })
  })

  it('may have names that mean something in an address', async () => {
    const odd = { 'a b/ü%?#&.txt': Buffer.from('odd') }
    expect(contentOf((await world.whole(world.version(odd))).path)).toEqual({
      'a b/ü%?#&.txt': sha256Of('odd'),
    })
  })

  it('of one object has a source that is it', async () => {
    world.server.objects.set('model.bin', TWO['model.bin'])
    world.server.objects.set(
      'm.json',
      Buffer.from(manifestOf(new Map([['model.bin', TWO['model.bin']]]))),
    )
    const data = { ...world.single('model.bin'), manifest: `${world.server.url}/m.json` }
    expect(contentOf((await world.whole(data)).path)).toHaveProperty(['model.bin'])
    expect(await world.failure({ ...data, source: `${world.server.url}/other.bin` })).toMatch(
      'the manifest must list other.bin alone',
    )
  })
})

describe('what breaks off', () => {
  it('is gone on with on a new connection', async () => {
    const large = randomBytes(8_000_000)
    const data = world.version({ 'model.bin': large })
    world.server.cuts.set('v1/model.bin', [3_000_000, 3_000_000])
    const { path } = await world.whole(data)
    expect(contentOf(path)['model.bin']).toBe(sha256Of(large))
    // What had come and was not read yet when it broke may be lost.
    const ranges = world.server.asked.filter((own) => own.startsWith('v1/model.bin from'))
    expect(ranges).toHaveLength(2)
  })

  it('begins anew where the server cannot go on', async () => {
    const data = world.version(TWO)
    world.server.hasRanges = false
    world.server.cuts.set('v1/model.bin', [100_000])
    expect(contentOf((await world.whole(data)).path)['model.bin']).toBe(sha256Of(TWO['model.bin']))
  })

  it('again and again without a new byte is given up', async () => {
    const data = world.version(TWO)
    world.server.cuts.set('v1/model.bin', [0, 0, 0, 0, 0, 0, 0])
    expect(await world.failure(data)).toMatch(/^DataFetchFailed: model.bin: /)
    expect(existsSync(join(world.home.path, 'data/known', `${dataKey(data)}.json`))).toBe(false)
  })

  it('with the fetch itself is gone on with by the next', async () => {
    const data = world.version(TWO)
    world.server.stalls.add('v1/model.bin')
    const first = world.fetch(data)
    const file = `v1/model.bin`
    await until('the object to be asked for', () => world.server.asked.includes(file))
    world.cache.stop(dataKey(data))
    expect(await first).toEqual({ failed: 'DataFetchFailed: nobody wants it any more' })
    world.server.stalls.clear()
    world.server.cuts.set(file, [10_000])
    const later = world.openCache()
    await world.whole(data, { from: later })
    expect(world.server.asked.filter((own) => own === 'v1/index/0.txt')).toHaveLength(1)
  })

  it('and has changed meanwhile comes from its begin', async () => {
    world.server.objects.set('model.bin', TWO['model.bin'])
    world.server.cuts.set('model.bin', [100_000])
    const go = world.fetch(world.single('model.bin'), {
      from: world.openCache({ tryPauseMs: 300 }),
    })
    await until('the first try', () => world.server.asked.length > 0)
    const other = randomBytes(300_000)
    world.server.objects.set('model.bin', other)
    const result = await go
    expect(result).toHaveProperty('whole')
    const { path } = (result as { whole: CachedData }).whole
    expect(contentOf(path)).toEqual({ 'model.bin': sha256Of(other) })
  })

  it('in silence is a failure', async () => {
    const data = world.version(TWO)
    world.server.stalls.add('v1/model.bin')
    const impatient = world.openCache({ idleMs: 200 })
    expect(await world.failure(data, { from: impatient })).toBe(
      'DataFetchFailed: model.bin: nothing came for too long',
    )
  })
})

describe('what is not as it should be', () => {
  it.each([
    ['other bytes', (own: DataServer) => own.objects.set('v1/model.bin', randomBytes(300_000))],
    ['fewer bytes', (own: DataServer) => own.objects.set('v1/model.bin', randomBytes(299_999))],
    ['more bytes', (own: DataServer) => own.objects.set('v1/model.bin', randomBytes(300_001))],
  ])('is never whole: %s', async (_, spoil) => {
    const data = world.version(TWO)
    spoil(world.server)
    expect(await world.failure(data)).toMatch(/^DataFetchFailed: model.bin has /)
    expect(world.openCache().whole()).toEqual([])
    world.server.objects.set('v1/model.bin', TWO['model.bin'])
    expect(contentOf((await world.whole(data)).path)['model.bin']).toBe(sha256Of(TWO['model.bin']))
  })

  it('is not there, is not allowed, or is broken: each with its status', async () => {
    const data = world.version(TWO)
    world.server.statuses.set('v1/model.bin', 403)
    expect(await world.failure(data)).toMatch(/^DataFetchFailed: .*v1\/model.bin: 403 Forbidden$/)
    expect(world.server.asked.filter((own) => own === 'v1/model.bin')).toHaveLength(1)
    expect(await world.failure(world.single('nowhere.bin'))).toMatch(/nowhere.bin: 404 Not Found$/)
    world.server.statuses.set('v1/model.bin', 503)
    expect(await world.failure(data)).toMatch(/503 Service Unavailable$/)
    const tries = world.server.asked.filter((own) => own === 'v1/model.bin').length - 1
    expect(tries).toBe(LIMITS.dataTries)
  })

  it('leads in circles, or to something that is no web address', async () => {
    world.server.redirects.set('a', '/b').set('b', '/a').set('c', 'file:///etc/passwd')
    expect(await world.failure(world.single('a'))).toMatch(/leads on and on$/)
    expect(await world.failure(world.single('c'))).toMatch('leads to file:///etc/passwd')
    world.server.redirects.set('d', '/e').set('e', '/model.bin')
    world.server.objects.set('model.bin', TWO['model.bin'])
    expect(Object.keys(contentOf((await world.whole(world.single('d'))).path))).toEqual(['d'])
  })

  it.each([
    ['', 'the manifest is no JSON'],
    ['[]', 'the manifest is wrong:'],
    ['{"objects": []}', 'the manifest is wrong: objects'],
    ['{"objects": [{"path": "../x", "size": 1, "sha256": "00"}]}', 'must stay below the source'],
  ])('is a manifest like %j', async (text, why) => {
    const data = world.version(TWO)
    world.server.objects.set('v1.json', Buffer.from(text))
    expect(await world.failure(data)).toMatch(why)
  })

  it('is a manifest in which a file is a directory too, or is there twice', async () => {
    const data = world.version({ 'a/b': Buffer.from('1') })
    const row = (path: string) => ({ path, size: 1, sha256: sha256Of('1') })
    const say = (...paths: string[]) =>
      world.server.objects.set('v1.json', Buffer.from(JSON.stringify({ objects: paths.map(row) })))
    say('a/b', 'a')
    expect(await world.failure(data)).toMatch('"a" is an object and a directory')
    say('a/b', 'a/b')
    expect(await world.failure(data)).toMatch('"a/b" is there twice')
    say('x'.repeat(300))
    expect(await world.failure(data)).toMatch('is no path for a file')
  })

  it('has more than a manifest may have', async () => {
    const data = world.version(TWO)
    world.server.objects.set('v1.json', Buffer.alloc(LIMITS.dataManifestMaxBytes + 1, ' '))
    expect(await world.failure(data)).toMatch('the manifest is longer than')
  })
})
