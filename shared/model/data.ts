/**
 * Data that a replica serves: a version of it is part of the template, rolled out just like code.
 *
 * What a version holds is told by its *digest*, taken over the path, size and SHA-256 of every
 * object in it. A manifest says that before anything is fetched; without one the first node that
 * has fetched the data says it, and whoever fetches something else later has got changed data.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../base/equal.ts'
import { byText } from '../base/order.ts'

const SOURCE = /^(s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/.*|https?:\/\/[^/]+\/.*|file:\/\/\/.*)$/

const urlSchema = z
  .string()
  .max(1_024)
  .regex(SOURCE, { error: 'must be like s3://bucket/path/, https://host/path or file:///path' })

export const dataSchema = z
  .strictObject({
    version: z.string().min(1).max(128).describe('any name for it: a time, a commit, a number'),
    source: urlSchema.describe('one object, or a prefix or directory with a slash at its end'),
    manifest: urlSchema
      .optional()
      .describe('where the list of its objects stands: {objects: [{path, size, sha256}]}'),
  })
  .refine(
    ({ source, manifest }) =>
      manifest !== undefined || !source.startsWith('http') || !source.endsWith('/'),
    { path: ['manifest'], error: 'is needed: what stands below a web address cannot be listed' },
  )
  .meta({ id: 'Data' })
export type Data = z.infer<typeof dataSchema>

/** A path below the source: no way out of it, no empty part, on one line. */
const PATH = /^(?!.*(^|\/)\.{0,2}(\/|$))[^\p{Cc}\\]+$/su

export const dataObjectSchema = z.object({
  path: z.string().max(1_024).regex(PATH, { error: 'must stay below the source' }),
  /** Bytes. */
  size: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})
export type DataObject = z.infer<typeof dataObjectSchema>

export const dataDigestSchema = z.string().regex(/^[0-9a-f]{64}$/)

/** What the caches of nodes call it: sixteen hex digits, the same for equal data. */
export function dataKey(data: Data): string {
  return hash('sha256', canonicalJson(data)).slice(0, 16)
}

/** 64 hex digits that name what is in it, whatever order its objects are listed in. */
export function dataDigest(objects: readonly DataObject[]): string {
  const lines = objects
    .map(({ path, size, sha256 }) => `${sha256} ${String(size)} ${path}`)
    .sort(byText)
  return hash('sha256', lines.join('\n'))
}
