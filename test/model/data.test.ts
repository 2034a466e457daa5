/**
 * What a version of data is called, what it holds, and what is no source of any.
 */
import { describe, expect, it } from 'vitest'
import { dataDigest, dataKey, dataObjectSchema, dataSchema } from '#shared/model/data.ts'

const object = (path: string, size = 1): { path: string; size: number; sha256: string } => ({
  path,
  size,
  sha256: 'ab'.repeat(32),
})

describe('data', () => {
  it.each([
    's3://acme-recs/2026-11-22T10/',
    'https://data.example/model.bin',
    'http://127.0.0.1:9000/model.bin',
    'file:///srv/data/v1/',
  ])('comes from %s', (source) => {
    expect(dataSchema.safeParse({ version: '1', source }).success).toBe(true)
  })

  it.each(['s3://acme-recs', 'ftp://host/x', 'model.bin', 'file://host/x', 's3:///key'])(
    'does not come from %s',
    (source) => {
      expect(dataSchema.safeParse({ version: '1', source }).success).toBe(false)
    },
  )

  it('needs a manifest where nothing can be listed', () => {
    const data = { version: '1', source: 'https://data.example/v1/' }
    expect(dataSchema.safeParse(data)).toMatchObject({
      error: { issues: [{ path: ['manifest'] }] },
    })
    const manifest = 'https://data.example/v1/manifest.json'
    expect(dataSchema.safeParse({ ...data, manifest }).success).toBe(true)
  })

  it('is another for another version, source or manifest, in whatever order it was written', () => {
    const data = { version: '1', source: 's3://acme-recs/1/' }
    expect(dataKey({ source: data.source, version: '1' })).toBe(dataKey(data))
    expect(dataKey({ ...data, version: '2' })).not.toBe(dataKey(data))
    expect(dataKey({ ...data, manifest: 's3://acme-recs/1.json' })).not.toBe(dataKey(data))
  })

  it('holds the same in whatever order its objects are listed', () => {
    const [a, b] = [object('a'), object('dir/b', 2)]
    expect(dataDigest([a, b])).toBe(dataDigest([b, a]))
    expect(dataDigest([a])).not.toBe(dataDigest([a, b]))
    expect(dataDigest([a, b])).not.toBe(dataDigest([a, object('dir/b', 3)]))
  })

  it.each([
    '../x',
    'a/../b',
    '/etc/passwd',
    'a//b',
    '',
    '.',
    'a/.',
    'a\\b',
    'a\0b',
    'a\n/../b',
    'a\tb',
  ])('has no object at %j', (path) => {
    expect(dataObjectSchema.safeParse(object(path)).success).toBe(false)
  })

  it.each(['a', 'a/b.c', '..a', 'a..b/.hidden', '...'])('may have an object at %j', (path) => {
    expect(dataObjectSchema.safeParse(object(path)).success).toBe(true)
  })
})
