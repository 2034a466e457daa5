/**
 * A document that somebody wrote, parsed into a spec or into everything that is wrong with it.
 *
 * All faults come at once, for whoever fixes one at a time gives up at the third. The code is
 * `NotYetSupported` as soon as one fault is of a field whose work is not built: mending the others
 * would not make this release accept the document.
 */
import type { z } from 'zod'
import { LIMITS } from '../model/limits.ts'
import { KIND_OF, NOUN_OF, nameSchema, type Noun, type SpecKind } from '../model/names.ts'
import { poolSpecSchema, type PoolSpec } from '../model/pool.ts'
import { teamSpecSchema, type TeamSpec } from '../model/team.ts'
import { templateOf } from '../model/version.ts'
import { portSchema, workloadSpecSchema, type WorkloadSpec } from '../model/workload.ts'
import type { ProblemFault } from './api.ts'
import { screen } from './body.ts'
import { faultsOf, isNotYet, shown } from './faults.ts'
import { suggest } from './suggest.ts'

export type SpecOf = { workload: WorkloadSpec; pool: PoolSpec; team: TeamSpec }

export const SPEC_SCHEMAS = {
  workload: workloadSpecSchema,
  pool: poolSpecSchema,
  team: teamSpecSchema,
} as const satisfies Record<Noun, z.ZodType>

/** A spec with the name it goes by, ready to be stored. */
export type Document = {
  [N in Noun]: { readonly noun: N; readonly name: string; readonly spec: SpecOf[N] }
}[Noun]

export type Refused = {
  ok: false
  code: 'Invalid' | 'NotYetSupported'
  faults: readonly ProblemFault[]
}
export type ParsedDocument = { ok: true; document: Document } | Refused

export type DocumentContext = {
  noun: Noun
  /** The name in the path: the document may repeat it and may not contradict it. */
  name?: string
  /** What says how many a workload has so far, kept when the document does not say. */
  count?: Count
}

export type Count = Pick<WorkloadSpec, 'replicas' | 'scale'>

type Fields = Readonly<Record<string, unknown>>

/** Parses a document of a known noun. */
export function parseDocument(value: unknown, context: DocumentContext): ParsedDocument {
  if (!isFields(value)) return refused([{ path: '', message: notAnObject(value) }])
  const { kind: _kind, name: _name, ...said } = value
  const fields = context.noun === 'workload' ? withCount(said, context.count) : said
  const schema = SPEC_SCHEMAS[context.noun]
  const parsed = schema.safeParse(fields, { reportInput: true })
  const issues = parsed.error?.issues ?? []
  const faults = [
    ...screen(value),
    ...identityFaults(value, context),
    ...faultsOf(issues, schema),
    ...(context.noun === 'workload' ? crossFaults(fields, issues) : []),
    ...(context.noun === 'workload' ? countFaults(fields) : []),
    ...(parsed.success ? sizeFaults(context.noun, parsed.data) : []),
  ]
  if (faults.length > 0 || !parsed.success) return refused(firstOfEach(faults))
  const name = context.name ?? (value['name'] as string)
  return { ok: true, document: { noun: context.noun, name, spec: parsed.data } as Document }
}

/** The noun and name that a document of any kind says it has, or why it cannot be told. */
export function identify(
  value: unknown,
): { ok: true; noun: Noun; name: string } | { ok: false; faults: readonly ProblemFault[] } {
  if (!isFields(value)) return { ok: false, faults: [{ path: '', message: notAnObject(value) }] }
  const kind = value['kind']
  const known = typeof kind === 'string' && Object.hasOwn(NOUN_OF, kind)
  const faults = known ? [] : [{ path: 'kind', message: kindMessage(kind) }]
  const name = nameSchema.safeParse(value['name'], { reportInput: true })
  if (!name.success) faults.push(...faultsOf(name.error.issues, nameSchema).map(atName))
  if (!known || !name.success) return { ok: false, faults }
  return { ok: true, noun: NOUN_OF[kind as SpecKind], name: name.data }
}

const atName = (fault: ProblemFault): ProblemFault => ({ ...fault, path: 'name' })

function kindMessage(kind: unknown): string {
  const kinds = Object.values(KIND_OF)
  if (kind === undefined) return `is needed: ${kinds.join(', ')}`
  const meant = typeof kind === 'string' ? suggest(kind, kinds) : undefined
  const hint = meant === undefined ? '' : `; did you mean '${meant}'?`
  return `must be one of ${kinds.join(', ')}, not ${shown(kind)}${hint}`
}

/** Kind and name may be left out where the path says them, and must agree with it otherwise. */
function identityFaults(value: Fields, { noun, name }: DocumentContext): ProblemFault[] {
  const faults: ProblemFault[] = []
  const kind = value['kind']
  if (kind !== undefined && kind !== KIND_OF[noun]) {
    faults.push({ path: 'kind', message: `must be ${KIND_OF[noun]} here, not ${shown(kind)}` })
  }
  const own = value['name']
  const valid = nameSchema.safeParse(name ?? own, { reportInput: true })
  if (!valid.success) faults.push(...faultsOf(valid.error.issues, nameSchema).map(atName))
  else if (own !== undefined && own !== valid.data) {
    faults.push({
      path: 'name',
      message: `must be ${valid.data} as in the path, not ${shown(own)}`,
    })
  }
  return faults
}

/** How many should run is the one thing nobody can guess for a new workload. */
function countFaults(fields: Fields): ProblemFault[] {
  if (saysHowMany(fields)) return []
  return [{ path: 'replicas', message: 'is needed: how many should run' }]
}

const saysHowMany = (fields: Fields): boolean =>
  fields['replicas'] !== undefined || fields['scale'] !== undefined

/** Who does not say how many leaves that as it is, a number or a scale. */
function withCount(fields: Fields, count: Count | undefined): Fields {
  if (count === undefined || saysHowMany(fields)) return fields
  const { replicas, scale } = count
  return { ...(scale === undefined ? { replicas } : { scale }), ...fields }
}

/** One fault a place: what is unsafe there says more than what the schema makes of it. */
function firstOfEach(faults: readonly ProblemFault[]): readonly ProblemFault[] {
  const seen = new Set<string>()
  return faults.filter(({ path }) => !seen.has(path) && seen.add(path))
}

/**
 * Rules between fields that the schema skips once a field has the wrong shape. They are asked
 * again of a small document in which whatever was at fault is replaced by something harmless.
 */
function crossFaults(fields: Fields, issues: readonly z.core.$ZodIssue[]): ProblemFault[] {
  if (issues.length === 0) return []
  const faulty = new Set(issues.map((issue) => String(issue.path[0])))
  const asked = ['command', 'image'].some((field) => fields[field] !== undefined)
  const ports = portSchema.array().safeParse(fields['ports'] ?? [])
  const health = faulty.has('health') || !ports.success ? undefined : fields['health']
  const probe = workloadSpecSchema.safeParse({
    command: asked ? ['-'] : undefined,
    ports: ports.success ? ports.data : [],
    ...(health === undefined ? {} : { health }),
  })
  const told = new Set(issues.map((issue) => issue.path.join('.')))
  const news = (probe.error?.issues ?? []).filter((issue) => !told.has(issue.path.join('.')))
  return faultsOf(news, workloadSpecSchema)
}

function sizeFaults(noun: Noun, spec: SpecOf[Noun]): ProblemFault[] {
  if (noun === 'workload') {
    const template = templateOf(spec as WorkloadSpec)
    const over = tooLarge(template, { what: 'the template', maxBytes: LIMITS.templateMaxBytes })
    if (over !== undefined) return [over]
  }
  const over = tooLarge(spec, { what: 'the spec', maxBytes: LIMITS.specMaxBytes })
  return over === undefined ? [] : [over]
}

/** A fault at the largest field, which is where there is something to save. */
function tooLarge(
  value: object,
  { what, maxBytes }: { what: string; maxBytes: number },
): ProblemFault | undefined {
  const bytes = bytesOf(value)
  if (bytes <= maxBytes) return undefined
  const sizes = Object.entries(value).map(([field, own]) => ({ field, bytes: bytesOf(own) }))
  const allowed = `it must have at most ${String(maxBytes)} bytes as JSON`
  const largest = sizes.reduce((a, b) => (b.bytes > a.bytes ? b : a))
  return {
    path: largest.field,
    message: `makes ${what} too large: ${allowed}, not ${String(bytes)}`,
  }
}

const bytesOf = (value: unknown): number =>
  new TextEncoder().encode(JSON.stringify(value) ?? '').byteLength

function refused(faults: readonly ProblemFault[]): Refused {
  return { ok: false, code: faults.some(isNotYet) ? 'NotYetSupported' : 'Invalid', faults }
}

const notAnObject = (value: unknown): string =>
  value === undefined
    ? 'is needed: a document as a JSON object'
    : `must be a document, which is an object, not ${shown(value)}`

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
