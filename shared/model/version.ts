/**
 * A version is the hash of a template: everything a replica is made of, and nothing else.
 *
 * The hash is taken over canonical JSON, so the order in which somebody wrote the fields makes no
 * new version.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../base/equal.ts'
import { templateShape, type WorkloadSpec } from './workload.ts'

/** A stored template; lenient about refinements, which the spec has already passed. */
export const templateSchema = z.object(templateShape)
export type Template = z.infer<typeof templateSchema>

const FIELDS = Object.keys(templateShape) as readonly (keyof Template)[]

/** The template part of a workload spec. */
export function templateOf(spec: WorkloadSpec): Template {
  const entries = FIELDS.filter((field) => spec[field] !== undefined).map((field) => [
    field,
    spec[field],
  ])
  return Object.fromEntries(entries) as Template
}

/** Twelve hex digits that name the template. */
export function versionOf(template: Template): string {
  return createHash('sha256').update(canonicalJson(template)).digest('hex').slice(0, 12)
}
