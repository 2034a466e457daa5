/**
 * Keeping: what the cache holds to its digest, what goes, and what a crash leaves.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeLogger } from '#shared/base/log.ts'
import { dataDigest, dataKey } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { sha256Of } from './data-server.ts'
import { contentOf, DataWorld, TWO } from './data-world.ts'
import { until } from './world.ts'

const DAY_MS = 86_400_000

let world: DataWorld
beforeEach(async () => {
  world = await DataWorld.start()
})
afterEach(() => world.close())

describe('the digest', () => {
  it('that the manifest does not have is a change, and nothing is fetched', async () => {
    const data = world.version(TWO)
    const digest = 'ab'.repeat(32)
    expect(await world.failure(data, { digest })).toMatch(
      /^DataChanged: expected abababab, and the source holds [0-9a-f]{8}$/,
    )
    expect(world.server.asked).toEqual(['v1.json'])
  })

  it('that a single object does not have is a change, and what came is kept', async () => {
    world.server.objects.set('model.bin', TWO['model.bin'])
    const digest = 'ab'.repeat(32)
    expect(await world.failure(world.single('model.bin'), { digest })).toMatch(/^DataChanged: /)
    expect(await world.failure(world.single('model.bin'), { digest })).toMatch(/^DataChanged: /)
    const found = await world.whole(world.single('model.bin'))
    expect(await world.whole(world.single('model.bin'), { digest: found.digest })).toEqual(found)
  })

  it('of what is there that is not the right one has it fetched anew', async () => {
    world.server.objects.set('model.bin', TWO['model.bin'])
    const first = await world.whole(world.single('model.bin'))
    const other = randomBytes(1_000)
    world.server.objects.set('model.bin', other)
    const digest = dataDigest([{ path: 'model.bin', size: 1_000, sha256: sha256Of(other) }])
    const second = await world.whole(world.single('model.bin'), { digest })
    expect(contentOf(second.path)).toEqual({ 'model.bin': sha256Of(other) })
    expect(existsSync(first.path)).toBe(false)
    expect(world.openCache().whole()).toEqual([second])
  })
})

describe('files of this machine', () => {
  it('come as they lie there, whole directories too', async () => {
    const source = join(world.home.path, 'source')
    mkdirSync(join(source, 'sub'), { recursive: true })
    writeFileSync(join(source, 'a.txt'), 'a')
    writeFileSync(join(source, 'sub/b.txt'), 'b')
    symlinkSync('a.txt', join(source, 'same.txt'))
    const data = { version: '1', source: `file://${source}/` }
    expect(contentOf((await world.whole(data)).path)).toEqual({
      'a.txt': sha256Of('a'),
      'sub/b.txt': sha256Of('b'),
      'same.txt': sha256Of('a'),
    })
    const one = { version: '1', source: `file://${source}/a.txt` }
    expect(contentOf((await world.whole(one)).path)).toEqual({ 'a.txt': sha256Of('a') })
    symlinkSync('/etc/hosts', join(source, 'out.txt'))
    expect(await world.failure({ ...data, version: '2' })).toMatch(
      'out.txt leads out of the source',
    )
  })

  it('come nowhere but where that is allowed', async () => {
    const strict = world.openCache({ allowFiles: false })
    const data = { version: '1', source: 'file:///etc/hosts' }
    expect(await world.failure(data, { from: strict })).toMatch(
      'a file is a source in local mode alone',
    )
    const other = { ...data, source: `${world.server.url}/x`, manifest: 'file:///etc/hosts' }
    expect(await world.failure(other, { from: strict })).toMatch('in local mode alone')
  })

  it('that are not there say so', async () => {
    expect(await world.failure({ version: '1', source: 'file:///nowhere/at/all/' })).toMatch(
      'ENOENT',
    )
  })
})

describe('room', () => {
  const MIB = 1_048_576
  const held = (): number => readdirSync(join(world.home.path, 'data/objects')).length
  const objectsOf = (n: number): Record<string, Buffer> => ({
    [`${String(n)}.bin`]: randomBytes(MIB),
  })

  it('is asked for before anything comes', async () => {
    const full = world.openCache({
      // A twentieth of it, and a little more for logs, is left to others.
      space: () => Promise.resolve({ totalBytes: 1e12, freeBytes: 5e10 + LIMITS.dataSpareBytes }),
    })
    const data = world.version(objectsOf(1))
    expect(await world.failure(data, { from: full })).toMatch(
      /^DataDoesNotFit: 1Mi more are to come/,
    )
    expect(world.server.asked).toEqual(['v1.json'])
  })

  it('is made by what nobody keeps, the longest unused first', async () => {
    let nowMs = Date.now()
    // Room for two and a half.
    const small = world.openCache({
      maxPercent: 100,
      now: () => nowMs,
      space: () => Promise.resolve({ totalBytes: 2.5 * MIB, freeBytes: 1e12 }),
    })
    const versions = [1, 2, 3].map((n) => world.version(objectsOf(n), `v${String(n)}`))
    const keys = versions.map(dataKey)
    small.evict([keys[0]!])
    await world.whole(versions[0]!, { from: small })
    nowMs += 1_000
    small.evict([keys[1]!])
    await world.whole(versions[1]!, { from: small })
    nowMs += 1_000
    small.evict([keys[2]!])
    await world.whole(versions[2]!, { from: small })
    const left = world
      .openCache()
      .whole()
      .map((own) => own.key)
    expect(left.sort()).toEqual([keys[1]!, keys[2]!].sort())
    expect(held()).toBe(2)
  })

  it('is never made by what is kept', async () => {
    const small = world.openCache({
      maxPercent: 100,
      space: () => Promise.resolve({ totalBytes: 1.5 * MIB, freeBytes: 1e12 }),
    })
    const [a, b] = [world.version(objectsOf(1), 'v1'), world.version(objectsOf(2), 'v2')]
    small.evict([dataKey(a), dataKey(b)])
    const own = await world.whole(a, { from: small })
    expect(await world.failure(b, { from: small })).toMatch(
      /^DataDoesNotFit: 1Mi more are to come, .* holds 1Mi of at most 2Mi$/,
    )
    expect(existsSync(join(own.path, '1.bin'))).toBe(true)
  })

  it('comes of what was not used for a day, and not of what is kept', async () => {
    let nowMs = Date.now()
    const aging = world.openCache({ now: () => nowMs })
    const [a, b] = [world.version(objectsOf(1), 'v1'), world.version(objectsOf(2), 'v2')]
    aging.evict([dataKey(a), dataKey(b)])
    const [own] = [await world.whole(a, { from: aging }), await world.whole(b, { from: aging })]
    nowMs += DAY_MS
    aging.evict([dataKey(a)])
    nowMs += DAY_MS - 1
    aging.evict([dataKey(a)])
    expect(await world.fetch(world.version(objectsOf(3), 'v3'), { from: aging })).toHaveProperty(
      'whole',
    )
    expect(held()).toBe(3)
    nowMs += 1
    aging.evict([dataKey(a)])
    await until('the old one to go', () => held() === 1 || held() === 2)
    expect(existsSync(join(own.path, '1.bin'))).toBe(true)
  })

  it('is not made by what came to be kept while others went', async () => {
    let nowMs = Date.now()
    let saved = ''
    const versions = [1, 2, 3].map((n) => world.version(objectsOf(n), `v${String(n)}`))
    const log = makeLogger((line) => {
      if (saved !== '' || !line.includes('data is evicted')) return
      saved = versions.map(dataKey).find((key) => !line.includes(key)) ?? ''
      aging.evict([saved])
    })
    const aging = world.openCache({ now: () => nowMs, log })
    for (const data of versions) await world.whole(data, { from: aging })
    nowMs += 2 * DAY_MS
    aging.evict([])
    await until('the others to go', () => held() === 1)
    const left = world.openCache().whole()
    expect(left.map((own) => own.key)).toEqual([saved])
  })

  it('that runs out on the way is a failure', async () => {
    let freeBytes = 1e12
    const filling = world.openCache({
      space: () => Promise.resolve({ totalBytes: 1e12, freeBytes }),
    })
    const data = world.version({ 'large.bin': Buffer.alloc(LIMITS.dataSpaceEveryBytes + MIB) })
    const go = world.server.holdBack()
    const result = world.failure(data, { from: filling })
    go()
    await until('the object to be asked for', () => world.server.asked.includes('v1/large.bin'))
    freeBytes = 1_000
    expect(await result).toBe('DataDoesNotFit: the disk is nearly full')
  })
})

describe('the cache on disk', () => {
  it('has nothing left of what was on its way, once it is whole', async () => {
    await world.whole(world.version(TWO))
    expect(readdirSync(join(world.home.path, 'data/partial'))).toEqual([])
  })

  it('is cleared at start of trees that nobody vouches for', async () => {
    const own = await world.whole(world.version(TWO))
    rmSync(join(world.home.path, 'data/known', `${own.key}.json`))
    expect(world.openCache().whole()).toEqual([])
    expect(readdirSync(join(world.home.path, 'data/sets'))).toEqual([])
  })

  it('with a word that is not understood begins anew', async () => {
    const data = world.version(TWO)
    const own = await world.whole(data)
    writeFileSync(join(world.home.path, 'data/known', `${own.key}.json`), '{"key":')
    const later = world.openCache()
    expect(later.whole()).toEqual([])
    const again = await world.whole(data, { from: later })
    expect(contentOf(again.path)['model.bin']).toBe(sha256Of(TWO['model.bin']))
  })
})
