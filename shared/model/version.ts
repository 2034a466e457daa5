/**
 * A version is the hash of a template: everything a replica is made of, and nothing else.
 *
 * The hash is taken over canonical JSON in which quantities are counted: neither the order in which
 * somebody wrote the fields nor `0.5` for `500m` makes a new version, nor does naming the port that
 * a service has anyway. Other defaults are filled in before a spec is stored, so spelling one out
 * makes none either.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../base/equal.ts'
import { parseMib, parseMilli } from './quantities.ts'
import { servicePort } from './service.ts'
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
  const { cpu, memory, gpu, disk } = template.resources
  const counted = {
    ...{ cpu: parseMilli(cpu), memory: parseMib(memory), gpu: parseMilli(gpu) },
    ...(disk === undefined ? {} : { disk: parseMib(disk) }),
  }
  const { service } = template
  const said = {
    ...template,
    resources: { ...template.resources, ...counted },
    ...(service === undefined ? {} : { service: { ...service, port: servicePort(template) } }),
  }
  return hash('sha256', canonicalJson(said)).slice(0, 12)
}
