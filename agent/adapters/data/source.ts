/**
 * Where data comes from, whatever the protocol: something that lists objects and opens one of them
 * from a byte on.
 *
 * A *validator* is the source's own word for what an object holds right now, such as an ETag. Equal
 * validators mean equal bytes, so that half an object can be gone on with and an unchanged one need
 * not come again.
 */
import type { Readable } from 'node:stream'
import { z } from 'zod'
import { dataObjectSchema, type DataObject } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { DataError } from '../../errors.ts'

/** An object before it is fetched: its path, and what is known of it. */
export type Listed = {
  readonly path: string
  readonly size?: number
  readonly sha256?: string
  readonly validator?: string
}

export type From = {
  readonly fromByte: number
  /** What the bytes before it were of; the object is opened at its begin if it is not that now. */
  readonly validator?: string
}

export type Opened = {
  readonly body: Readable
  /** 0 where the source would not begin in the middle. */
  readonly fromByte: number
  /** All of the object, where the source says it. */
  readonly size?: number
  readonly validator?: string
}

/** The stream, whose end in an error is nobody's until somebody reads it. */
export function calm(body: Readable): Readable {
  return body.on('error', () => undefined)
}

export type Source = {
  /** Throws DataError. */
  list(signal: AbortSignal): Promise<readonly Listed[]>
  /** An object below the source, or the source itself where that is one. Throws DataError. */
  open(path: string, from: From, signal: AbortSignal): Promise<Opened>
}

/** A source with no slash at its end is one object. */
export const isSingle = (url: string): boolean => !url.endsWith('/')

/** The name of a single object: the last part of its address. */
export function nameOf(url: string): string {
  const path = url.startsWith('s3:') ? url : new URL(url).pathname
  const last = path.split('/').at(-1) ?? ''
  return url.startsWith('s3:') ? last : decoded(last)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const manifestSchema = z.object({
  objects: z.array(dataObjectSchema).min(1).max(LIMITS.dataObjectsMax),
})

/** The objects of a manifest; throws DataError, saying what is wrong with it. */
export function parseManifest(text: string): readonly DataObject[] {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new DataError({ text: 'the manifest is no JSON', cause })
  }
  const parsed = manifestSchema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = issue?.path.map(String).join('.') ?? ''
    throw new DataError({ text: `the manifest is wrong: ${where} ${issue?.message ?? ''}` })
  }
  checkPaths(parsed.data.objects)
  return parsed.data.objects
}

const pathSchema = dataObjectSchema.shape.path

/** Throws DataError where the paths cannot all be files of one tree. */
export function checkPaths(objects: readonly Listed[]): void {
  if (objects.length === 0) throw new DataError({ text: 'nothing is there' })
  if (objects.length > LIMITS.dataObjectsMax) {
    throw new DataError({ text: `more than ${String(LIMITS.dataObjectsMax)} objects are there` })
  }
  const paths = new Set<string>()
  const directories = new Set<string>()
  for (const { path } of objects) {
    const parts = path.split('/')
    const isLong = parts.some((part) => Buffer.byteLength(part) > LIMITS.dataPathPartMaxBytes)
    if (!pathSchema.safeParse(path).success || isLong) throw badPath(path, 'is no path for a file')
    if (paths.has(path)) throw badPath(path, 'is there twice')
    paths.add(path)
    for (let end = 1; end < parts.length; end += 1) directories.add(parts.slice(0, end).join('/'))
  }
  for (const path of paths) {
    if (directories.has(path)) throw badPath(path, 'is an object and a directory')
  }
}

const badPath = (path: string, what: string): DataError =>
  new DataError({ text: `${JSON.stringify(path.slice(0, 80))} ${what}` })
