/**
 * From a schema's issues to faults a person can act on: where, what is allowed, what was seen.
 *
 * The schema library's own messages speak of types; a person who misspelt a field or wrote a count
 * as text wants to hear which field was meant and what may stand there.
 */
import type { z } from 'zod'
import { NOT_YET } from '../model/not-yet.ts'
import type { ProblemFault } from './api.ts'
import { suggest } from './suggest.ts'

type Issue = z.core.$ZodIssue
type Schema = z.core.$ZodType
type Path = readonly PropertyKey[]

/** `resources.cpu`, `ports[0].name`, `labels["a/b"]`; the empty text is the body itself. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${String(part)}]`
    const name = String(part)
    if (!/^[A-Za-z_$][\w$-]*$/.test(name)) return `${text}[${shown(name)}]`
    return text === '' ? name : `${text}.${name}`
  }, '')
}

const SEEN_MAX_CHARS = 60

/** A value as JSON, cut where it gets long. */
export function shown(value: unknown): string {
  const text = (JSON.stringify(value) ?? 'nothing').toWellFormed()
  return text.length <= SEEN_MAX_CHARS ? text : `${text.slice(0, SEEN_MAX_CHARS)}…`
}

/** Every issue as a fault; one unknown field is one fault, with what was probably meant. */
export function faultsOf(issues: readonly Issue[], schema: Schema): ProblemFault[] {
  const paths = new Set(issues.filter((issue) => !isRangeNote(issue)).map((issue) => key(issue)))
  return issues
    .filter((issue) => !isRangeNote(issue) || !paths.has(key(issue)))
    .flatMap((issue) => faultsOfIssue(issue, { schema, prefix: [] }))
}

/** True for a fault that only a later release can take away. */
export function isNotYet(fault: ProblemFault): boolean {
  return fault.message.startsWith(NOT_YET)
}

const key = (issue: Issue): string => pathText(issue.path)

/** An integer beyond the safe range is told twice: once so, once by the field's own limit. */
const isRangeNote = (issue: Issue): boolean => issue.code === 'too_big' && 'note' in issue

type Context = { schema: Schema; prefix: Path }

function faultsOfIssue(issue: Issue, context: Context): ProblemFault[] {
  const path = [...context.prefix, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => ({
      path: pathText([...path, name]),
      message: unknownField(name, fieldsAt(context.schema, path)),
    }))
  }
  const branch = issue.code === 'invalid_union' ? meantBranch(issue) : undefined
  if (branch !== undefined) {
    return branch.flatMap((own) => faultsOfIssue(own, { schema: context.schema, prefix: path }))
  }
  return [{ path: pathText(path), message: messageOf(issue) }]
}

function unknownField(name: string, known: readonly string[]): string {
  const meant = suggest(name, known)
  if (meant !== undefined) return `unknown field '${name}'; did you mean '${meant}'?`
  const fields = [...known].sort().join(', ')
  return fields === ''
    ? `unknown field '${name}'`
    : `unknown field '${name}'; the fields here are ${fields}`
}

/**
 * The one branch of a union whose shape the value has: its faults say more than "neither of them".
 */
function meantBranch(issue: z.core.$ZodIssueInvalidUnion): readonly Issue[] | undefined {
  const fitting = issue.errors.filter((issues) => !issues.some(isWrongShape))
  return fitting.length === 1 ? fitting[0] : undefined
}

const isWrongShape = (issue: Issue): boolean =>
  issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')

function messageOf(issue: Issue): string {
  const text = allowed(issue)
  const seen = issue.input
  if (seen === undefined || !text.startsWith('must')) return text
  return `${text}, not ${shown(seen)}`
}

function allowed(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return `is needed: ${aKind(issue.expected)}`
      return `must be ${aKind(issue.expected)}`
    case 'too_small':
      return `must ${size(issue.origin, `at least ${String(issue.minimum)}`, issue.minimum)}`
    case 'too_big':
      return `must ${size(issue.origin, `at most ${String(issue.maximum)}`, issue.maximum)}`
    case 'invalid_value':
      if (issue.input === undefined) return `is needed: ${issue.values.join(', ')}`
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.join(', ')}`
    case 'invalid_format':
      return 'prefix' in issue ? `must start with ${shown(issue.prefix)}` : issue.message
    case 'invalid_union':
      if (issue.errors.length === 0) return issue.message
      return `must be ${[...new Set(issue.errors.flatMap(alternatives))].join(', or ')}`
    case 'invalid_key':
    case 'invalid_element':
      return issue.issues.map((own) => allowed(own)).join('; ')
    case 'unrecognized_keys':
    case 'not_multiple_of':
    case 'custom':
      return issue.message
  }
}

function alternatives(issues: readonly Issue[]): string[] {
  return issues.slice(0, 1).map((issue) => allowed(issue).replace(/^must be /, ''))
}

function size(origin: string, bound: string, count: number | bigint): string {
  if (origin === 'string')
    return `have ${bound} ${Number(count) === 1 ? 'character' : 'characters'}`
  if (origin === 'array') return `have ${bound} ${Number(count) === 1 ? 'entry' : 'entries'}`
  return `be ${bound}`
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

const aKind = (expected: string): string => KINDS[expected] ?? expected

/**
 * The names of the fields that the schema knows at a path; of all branches, where it is a union.
 */
export function fieldsAt(schema: Schema, path: Path): string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod
  if ('innerType' in def) return fieldsAt(def.innerType, path)
  if (def.type === 'pipe') return fieldsAt(def.in, path)
  if (def.type === 'union') return def.options.flatMap((option) => fieldsAt(option, path))
  const [head, ...rest] = path
  if (def.type === 'object') {
    if (head === undefined) return Object.keys(def.shape)
    const own = Object.entries(def.shape).find(([name]) => name === head)
    return own === undefined ? [] : fieldsAt(own[1], rest)
  }
  if (head === undefined) return []
  if (def.type === 'array') return fieldsAt(def.element, rest)
  if (def.type === 'record') return fieldsAt(def.valueType, rest)
  return []
}
