import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { hash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDataCache, type ClosableCache } from '#agent/adapters/data/cache.ts'
import { openS3 } from '#agent/adapters/data/s3-source.ts'
import { removeDirectory } from '#agent/adapters/files.ts'
import type { FetchResult } from '#agent/ports.ts'
import { silentLogger } from '#shared/base/log.ts'
import { dataDigest, dataKey, type Data } from '#shared/model/data.ts'
import { temporaryDirectory } from '../agent/world.ts'
import { CREDENTIALS, describeOn } from './on-engine.ts'

const NAMES = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const
const before = NAMES.map((name) => [name, process.env[name]] as const)

describeOn('moto', (endpoint) => {
  let home: ReturnType<typeof temporaryDirectory>
  let cache: ClosableCache
  let bucket = ''
  const s3 = new S3Client({
    ...{ endpoint, forcePathStyle: true, region: 'us-east-1', credentials: CREDENTIALS },
  })
  const put = (key: string, bytes: Buffer | string) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }))
  const fetched = (data: Data, digest?: string): Promise<FetchResult> => {
    const request = { key: dataKey(data), data, ...(digest === undefined ? {} : { digest }) }
    return cache.fetch(request, () => undefined)
  }
  const dataAt = (place: string): Data => ({ version: '1', source: `s3://${bucket}/${place}` })
  const never = new AbortController().signal

  beforeEach(async () => {
    process.env['AWS_ACCESS_KEY_ID'] = CREDENTIALS.accessKeyId
    process.env['AWS_SECRET_ACCESS_KEY'] = CREDENTIALS.secretAccessKey
    bucket = `data-${randomBytes(4).toString('hex')}`
    await s3.send(new CreateBucketCommand({ Bucket: bucket }))
    home = temporaryDirectory()
    cache = openDataCache({
      ...{
        directory: join(home.path, 'data'),
        allowFiles: false,
        maxPercent: 100,
        fullPercent: 100,
      },
      ...{ s3: { region: 'us-east-1', endpoint }, log: silentLogger, tryPauseMs: 10 },
    })
  })
  afterEach(() => {
    cache.close()
    removeDirectory(home.path)
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  test('a prefix comes as it is listed, folders and odd names too', async () => {
    const large = randomBytes(300_000)
    await put('v1/model.bin', large)
    await put('v1/sub dir/ü+%.txt', 'odd')
    await put('v1/sub dir/', '')
    await put('v10/other', 'not below')
    const result = await fetched(dataAt('v1/'))
    if ('failed' in result) throw new Error(result.failed)
    const { path } = result.whole
    expect(readdirSync(path).sort()).toEqual(['model.bin', 'sub dir'])
    expect(hash('sha256', readFileSync(join(path, 'model.bin')))).toBe(hash('sha256', large))
    expect(readFileSync(join(path, 'sub dir/ü+%.txt'), 'utf8')).toBe('odd')
  })

  test('a prefix of more than a page comes whole', { timeout: 120_000 }, async () => {
    const names = Array.from({ length: 1_005 }, (_, n) => `many/${String(n)}`)
    for (let start = 0; start < names.length; start += 50) {
      await Promise.all(names.slice(start, start + 50).map((name) => put(name, name)))
    }
    const listed = await openS3({ region: 'us-east-1', endpoint })(`s3://${bucket}/many/`).list(
      never,
    )
    expect(new Set(listed.map((own) => own.path)).size).toBe(1_005)
  })

  test('one object comes by its name', async () => {
    await put('deep/model.bin', 'model')
    const result = await fetched(dataAt('deep/model.bin'))
    expect(result).toHaveProperty('whole')
    const { path } = (result as { whole: { path: string } }).whole
    expect(readFileSync(join(path, 'model.bin'), 'utf8')).toBe('model')
  })

  test('the rest of an object is gone on with, unless it has changed', async () => {
    await put('v1/a', 'abcdefgh')
    const source = openS3({ region: 'us-east-1', endpoint })(`s3://${bucket}/v1/`)
    const [listed] = await source.list(never)
    const textOf = async (fromByte: number, validator?: string): Promise<string> => {
      const from = { fromByte, ...(validator === undefined ? {} : { validator }) }
      const opened = await source.open('a', from, never)
      const chunks: Buffer[] = []
      for await (const chunk of opened.body as AsyncIterable<Buffer>) chunks.push(chunk)
      return `${String(opened.fromByte)}/${String(opened.size)} ${Buffer.concat(chunks).toString()}`
    }
    expect(await textOf(3, listed?.validator)).toBe('3/8 defgh')
    expect(await textOf(8, listed?.validator)).toBe('0/8 abcdefgh')
    await put('v1/a', 'ABCDEFGH')
    expect(await textOf(3, listed?.validator)).toBe('0/8 ABCDEFGH')
  })

  test('what changed is fetched anew for another digest, and what did not is not', async () => {
    await put('v1/a', 'a')
    await put('v1/b', 'b')
    const first = await fetched(dataAt('v1/'))
    expect(await fetched(dataAt('v1/'), 'ab'.repeat(32))).toMatchObject({
      failed: expect.stringMatching(/^DataChanged: expected abababab, /) as string,
    })
    await put('v1/b', 'B')
    const digest = dataDigest(
      [['a', 'a'] as const, ['b', 'B'] as const].map(([path, text]) => ({
        ...{ path, size: 1, sha256: hash('sha256', text) },
      })),
    )
    const second = await fetched(dataAt('v1/'), digest)
    expect(second).toMatchObject({ whole: { digest } })
    expect(second).not.toEqual(first)
  })

  test('what is not there, or nobody’s to see, is said so', async () => {
    expect(await fetched(dataAt('nothing/'))).toEqual({
      failed: 'DataFetchFailed: nothing is there',
    })
    expect(await fetched(dataAt('nothing.bin'))).toMatchObject({
      failed: expect.stringMatching(/nothing.bin: 404 NoSuchKey$/) as string,
    })
    const elsewhere = { version: '1', source: 's3://no-such-bucket-here/x/' }
    expect(await fetched(elsewhere)).toMatchObject({
      failed: expect.stringMatching(/404 NoSuchBucket$/) as string,
    })
    await put('v2/a', 'a')
    const source = openS3({ region: 'us-east-1', endpoint })(`s3://${bucket}/v2/`)
    await source.list(never)
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'v2/a' }))
    await expect(source.open('a', { fromByte: 0 }, never)).rejects.toThrow('404 NoSuchKey')
  })
})
