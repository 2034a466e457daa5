/**
 * The reference page of the three specs: every field with its type, its default and its meaning,
 * from the same schemas that validate.
 */
import { z } from 'zod'
import { KIND_OF, NOUNS, type Noun } from '../model/names.ts'
import { SPEC_SCHEMAS } from './documents.ts'

type Schema = {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: string
  readonly $ref?: string
}
type Definitions = Readonly<Record<string, Schema>>

export type ReferenceRow = { field: string; type: string; default: string; meaning: string }

/** The page as Markdown. */
export function buildReference(): string {
  const sections = NOUNS.map((noun) => sectionOf(KIND_OF[noun], referenceRows(noun)))
  const checks = [
    'What `burnIn.checks` of a pool may list beside the names of presets and checks: objects with',
    'these fields. Each may have a `name`, so that a suite has it twice, and `limits` by measure:',
    '`{writeMibPerSecond: {min: 200, otherwise: WARN}}`; without `otherwise`, a breach is FAIL.',
  ].join('\n')
  const intro = [
    '# Specs, field by field',
    '',
    'Made by `npm run openapi` from the schemas that validate; edit those. Every document also has',
    '`kind` and `name`. An unknown field is refused, with the one that was probably meant.',
  ].join('\n')
  const metrics = 'What `scale.metrics` of a workload may list: objects with these fields.'
  const kinds = [
    `## Types\n\n| type | how it is written |\n|---|---|\n${typeRows().join('\n')}`,
    sectionOf('Metrics', kindRows({ noun: 'workload', union: 'Metric', by: 'type' }), metrics),
    sectionOf('Checks', kindRows({ noun: 'pool', union: 'Check', by: 'check' }), checks),
  ]
  return `${[intro, ...sections, ...kinds].join('\n\n')}\n`
}

function sectionOf(title: string, rows: readonly ReferenceRow[], text?: string): string {
  const head = ['| field | type | default | meaning |', '|---|---|---|---|']
  const told = rows.map(
    (row) => `| \`${row.field}\` | ${row.type} | ${row.default} | ${row.meaning} |`,
  )
  return [`## ${title}`, '', ...(text === undefined ? [] : [text, '']), ...head, ...told].join('\n')
}

/** What a type is that has a name of its own and no fields to tell of. */
function typeRows(): readonly string[] {
  const definitions = Object.entries(Object.assign({}, ...NOUNS.map(definitionsOf)) as Definitions)
  return definitions
    .flatMap(([name, { description, properties, oneOf }]) =>
      description === undefined || (properties ?? oneOf) !== undefined
        ? []
        : `| ${named(name)} | ${cell(description)} |`,
    )
    .sort()
}

type Union = { readonly noun: Noun; readonly union: string; readonly by: 'type' | 'check' }

/** A row a field of each kind of thing in a list, but for what tells them apart. */
function kindRows({ noun, union, by }: Union): ReferenceRow[] {
  const definitions = definitionsOf(noun)
  const kinds = definitions[union]?.oneOf ?? []
  const left = by === 'check' ? [by, ...COMMON] : [by]
  return kinds.flatMap((own) => {
    const kind = definitions[refName(own)] ?? {}
    const prefix = `${String(kind.properties?.[by]?.const)}: `
    return fieldsOf(kind, { prefix, definitions }).filter(
      ({ field }) => !left.some((name) => field === `${prefix}${name}`),
    )
  })
}

/** Told once for all checks. */
const COMMON = ['name', 'limits']

/** A row a field, nested ones after their parent: `rollout.maxSurge`, `ports[].name`. */
export function referenceRows(noun: Noun): ReferenceRow[] {
  const definitions = definitionsOf(noun)
  const root = definitions[`${KIND_OF[noun]}Spec`] ?? {}
  return fieldsOf(root, { prefix: '', definitions })
}

function definitionsOf(noun: Noun): Definitions {
  return (z.toJSONSchema(SPEC_SCHEMAS[noun], { io: 'input' }).$defs ?? {}) as Definitions
}

type Place = { prefix: string; definitions: Definitions }

function fieldsOf(schema: Schema, { prefix, definitions }: Place): ReferenceRow[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, own]) => {
    const field = `${prefix}${name}`
    const resolved = { ...definitions[refName(own)], ...own }
    const needed = schema.required?.includes(name) === true
    const row = {
      field,
      type: typeOf(resolved),
      default: needed ? 'needed' : defaultOf(resolved),
      meaning: cell(resolved.description ?? ''),
    }
    const inner = resolved.type === 'array' ? itemsOf(resolved, definitions) : resolved
    const dot = resolved.type === 'array' ? `${field}[].` : `${field}.`
    return [row, ...fieldsOf(inner, { prefix: dot, definitions })]
  })
}

const itemsOf = ({ items = {} }: Schema, definitions: Definitions): Schema => ({
  ...definitions[refName(items)],
  ...items,
})

const refName = ({ $ref }: Schema): string => $ref?.replace('#/$defs/', '') ?? ''

function typeOf(schema: Schema): string {
  const name = refName(schema)
  if (name !== '') return named(name)
  if (schema.const !== undefined) return `\`${String(schema.const)}\``
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ')
  if (schema.enum !== undefined) return schema.enum.map((own) => `\`${String(own)}\``).join(', ')
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`
  if (schema.type === 'integer' || schema.type === 'number') return numberType(schema)
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type === 'string') return 'text'
  if (typeof schema.additionalProperties === 'object') {
    const values = schema.additionalProperties
    return `map of ${values.type === undefined ? 'anything' : typeOf(values)}`
  }
  return schema.type === 'object' ? 'object' : 'anything'
}

/** `CpuQuantity` as words: cpu quantity. */
const named = (name: string): string => name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()

function numberType({ type, minimum, maximum }: Schema): string {
  const what = type === 'integer' ? 'integer' : 'number'
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum
  const least = minimum === -Number.MAX_SAFE_INTEGER ? undefined : minimum
  if (least !== undefined && most !== undefined)
    return `${what}, ${String(least)} to ${String(most)}`
  return least === undefined ? what : `${what}, ${String(least)} or more`
}

function defaultOf({ default: own, type }: Schema): string {
  if (own === undefined || (type === 'object' && JSON.stringify(own) === '{}')) return ''
  return `\`${typeof own === 'string' ? own : JSON.stringify(own)}\``
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
