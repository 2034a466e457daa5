/**
 * Data from S3, with the node's own role.
 *
 * The rest of an object is asked for as what its first part was of (`If-Match`); one that has
 * changed since comes from its begin. A bucket may be in any region; its first answer says which.
 * Source: Amazon S3 API, ListObjectsV2 and GetObject.
 */
import {
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Readable } from 'node:stream'
import { LIMITS } from '#shared/model/limits.ts'
import { DataError } from '../../errors.ts'
import {
  calm,
  isSingle,
  nameOf,
  type From,
  type Listed,
  type Opened,
  type Source,
} from './source.ts'

export type S3Options = {
  readonly region: string
  /** Takes the place of S3's own, with buckets in the path: another server that speaks it. */
  readonly endpoint?: string
}

/** Opens no connection before the first source is used. */
export function openS3(options: S3Options): (url: string) => Source {
  let client: S3Client | undefined
  return (url) => {
    client ??= makeClient(options)
    return sourceOf(client, url)
  }
}

function makeClient({ region, endpoint }: S3Options): S3Client {
  return new S3Client({
    ...{ region, maxAttempts: 3, followRegionRedirects: true },
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    // The SHA-256 of every object is taken here; a sum of S3's own would be taken twice.
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
}

function sourceOf(client: S3Client, url: string): Source {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/(.*)$/s.exec(url) ?? []
  return {
    list: (signal) =>
      isSingle(url)
        ? Promise.resolve([{ path: nameOf(url) }])
        : told(url, signal, () => list(client, { bucket, prefix, signal })),
    open: (path, from, signal) => {
      const key = isSingle(url) ? prefix : prefix + path
      return told(`s3://${bucket}/${key}`, signal, () =>
        open(client, { bucket, key, from, signal }),
      )
    },
  }
}

type List = { readonly bucket: string; readonly prefix: string; readonly signal: AbortSignal }

async function list(client: S3Client, { bucket, prefix, signal }: List): Promise<Listed[]> {
  const found: Listed[] = []
  let token: string | undefined
  for (let page = 0; page < LIMITS.dataListPagesMax; page += 1) {
    const answer = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
      { abortSignal: AbortSignal.any([signal, AbortSignal.timeout(LIMITS.dataIdleMs)]) },
    )
    for (const { Key = '', Size = 0, ETag } of answer.Contents ?? []) {
      // Consoles make folders by empty objects with a slash at their end.
      if (Key.endsWith('/') && Size === 0) continue
      const path = Key.slice(prefix.length)
      found.push({ path, size: Size, ...(ETag === undefined ? {} : { validator: ETag }) })
    }
    if (found.length > LIMITS.dataObjectsMax) break
    token = answer.NextContinuationToken
    if (token === undefined) return found
  }
  throw new DataError({ text: `more than ${String(LIMITS.dataObjectsMax)} objects are there` })
}

type Open = {
  readonly bucket: string
  readonly key: string
  readonly from: From
  readonly signal: AbortSignal
}

const CHANGED = 412
const BEYOND_ITS_END = 416

async function open(client: S3Client, asked: Open): Promise<Opened> {
  try {
    return await openFrom(client, asked)
  } catch (error) {
    const status = statusOf(error)
    const isMoved = status === CHANGED || status === BEYOND_ITS_END
    if (!isMoved || asked.from.fromByte === 0) throw error
    return await openFrom(client, { ...asked, from: { fromByte: 0 } })
  }
}

async function openFrom(client: S3Client, { bucket, key, from, signal }: Open): Promise<Opened> {
  const { fromByte, validator } = from
  const answer = await client.send(
    new GetObjectCommand({
      ...{ Bucket: bucket, Key: key },
      ...(fromByte === 0 ? {} : { Range: `bytes=${String(fromByte)}-` }),
      ...(fromByte === 0 || validator === undefined ? {} : { IfMatch: validator }),
    }),
    { abortSignal: signal },
  )
  const { Body, ContentLength, ContentRange, ETag } = answer
  if (!(Body instanceof Readable)) throw new DataError({ text: 'S3 answered without a body' })
  const isPart = fromByte > 0 && (ContentRange ?? '').startsWith(`bytes ${String(fromByte)}-`)
  const start = isPart ? fromByte : 0
  return {
    ...{ body: calm(Body), fromByte: start },
    ...(ContentLength === undefined ? {} : { size: start + ContentLength }),
    ...(ETag === undefined ? {} : { validator: ETag }),
  }
}

async function told<T>(what: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (cause instanceof DataError || signal.aborted) throw cause
    const status = statusOf(cause)
    const name = cause instanceof Error ? cause.name : String(cause)
    const isFinal = status !== undefined && status < 500 && status !== 408 && status !== 429
    throw new DataError({
      text: `${what.slice(-120)}: ${status === undefined ? '' : `${String(status)} `}${name}`,
      cause,
      isPassing: !isFinal,
      ...(status === 403 ? { next: 'grant the node role its bucket: dataBuckets' } : {}),
    })
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
}
