/**
 * The OpenAPI 3.1 document, made from the very schemas that validate: it cannot say anything else.
 *
 * Specs are described as they are written (defaults may be left out); answers as they are read
 * (unknown fields may come). OpenAPI 3.1 is JSON Schema 2020-12, so the schemas go in as they are,
 * but for their references and for bounds that every JavaScript integer has.
 */
import { z } from 'zod'
import { KIND_OF, nameSchema, NOUNS, type Noun } from '../model/names.ts'
import { problemSchema } from './api.ts'
import { SPEC_SCHEMAS } from './documents.ts'
import { OPERATIONS, type Operation, type Parameter } from './operations.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

export function buildOpenApi(version: string): JsonObject {
  const components = makeComponents()
  const paths: Record<string, JsonObject> = {}
  for (const operation of OPERATIONS) {
    const path = (paths[operation.path] ??= pathItem(operation))
    path[operation.method] = operationOf(operation, components)
  }
  components.add(problemSchema, 'read')
  for (const noun of NOUNS) components.put(`${KIND_OF[noun]}Document`, documentOf(noun, components))
  return {
    openapi: '3.1.0',
    info: {
      title: 'drover',
      version,
      description: 'The admin API: say what should run, see what runs and why.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:8787', description: 'the local drover' }],
    paths,
    components: { schemas: components.all(), responses: problemResponses() },
  }
}

type Components = {
  /** The reference to the schema, which becomes a component with everything it refers to. */
  add(schema: z.ZodType, use: 'written' | 'read'): JsonObject
  put(name: string, schema: JsonObject): void
  /** In order of name. */
  all(): JsonObject
}

function makeComponents(): Components {
  const schemas = new Map<string, JsonObject>()
  return {
    add(schema, use) {
      const io = use === 'written' ? 'input' : 'output'
      const { $schema: _, $defs, ...own } = z.toJSONSchema(schema, { io }) as JsonObject
      for (const [name, definition] of Object.entries(($defs ?? {}) as JsonObject)) {
        schemas.set(name, tidied(definition, use) as JsonObject)
      }
      return tidied(own, use) as JsonObject
    },
    put: (name, schema) => void schemas.set(name, schema),
    all: () => Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** References made OpenAPI's; bounds and patterns that say nothing left out; answers left open. */
function tidied(value: Json, use: 'written' | 'read'): Json {
  if (Array.isArray(value)) return value.map((item) => tidied(item, use))
  if (value === null || typeof value !== 'object') return value
  if (typeof value['component'] === 'string') return reference(value['component'])
  const kept = Object.entries(value).filter(([key, own]) => !isNoise(key, own, value))
  return Object.fromEntries(
    kept
      .filter(([key, own]) => !(use === 'read' && key === 'additionalProperties' && own === false))
      .map(([key, own]) => [key, key === '$ref' ? refText(own) : tidied(own, use)]),
  )
}

function isNoise(key: string, own: Json, holder: JsonObject): boolean {
  if (key === 'maximum' || key === 'minimum')
    return Math.abs(Number(own)) === Number.MAX_SAFE_INTEGER
  if (key === 'pattern') return holder['format'] === 'date-time'
  return key === 'propertyNames' && JSON.stringify(own) === '{"type":"string"}'
}

const refText = (own: Json): Json =>
  typeof own === 'string' ? own.replace('#/$defs/', '#/components/schemas/') : own
const reference = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` })

/** A document: the spec with `kind` and `name`, which the path says already. */
function documentOf(noun: Noun, components: Components): JsonObject {
  components.add(SPEC_SCHEMAS[noun], 'written')
  const name = components.add(nameSchema, 'written')
  const spec = `${KIND_OF[noun]}Spec`
  const own = components.all()[spec] as JsonObject
  const properties = { kind: { const: KIND_OF[noun] }, name, ...(own['properties'] as JsonObject) }
  return { ...own, description: `a ${KIND_OF[noun]} as it is written`, properties }
}

function pathItem({ path }: Operation): JsonObject {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  if (names.length === 0) return {}
  const parameters = names.map((name) => ({
    ...{ name, in: 'path', required: true },
    schema: { type: 'string' },
  }))
  return { parameters }
}

function operationOf(operation: Operation, components: Components): JsonObject {
  const parameters = [
    ...(operation.query ?? []).map((own) => parameterOf(own, 'query')),
    ...(operation.headers ?? []).map((own) => parameterOf(own, 'header')),
  ]
  const answers = Object.entries(operation.answers).map(([status, schema]): [string, Json] => [
    status,
    {
      description: status === '201' ? 'created' : 'done',
      content: jsonContent(
        schema === undefined ? { type: 'object' } : components.add(schema, 'read'),
      ),
    },
  ])
  const problems = [...operation.problems, 503].map((status): [string, Json] => [
    String(status),
    { $ref: `#/components/responses/Problem${String(status)}` },
  ])
  return {
    operationId: operation.id,
    summary: operation.summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(operation.body === undefined ? {} : { requestBody: bodyOf(operation.body, components) }),
    responses: Object.fromEntries([...answers, ...problems]),
  }
}

function parameterOf({ name, text, schema }: Parameter, place: 'query' | 'header'): JsonObject {
  return { name, in: place, description: text, schema: schema as JsonObject }
}

function bodyOf(body: NonNullable<Operation['body']>, components: Components): JsonObject {
  const schema =
    typeof body.schema === 'string'
      ? reference(body.schema)
      : components.add(body.schema, 'written')
  return { required: body.required, content: jsonContent(schema) }
}

const jsonContent = (schema: JsonObject): JsonObject => ({ 'application/json': { schema } })

const PROBLEMS = {
  400: 'malformed: the JSON, a query parameter or If-Match',
  403: 'the caller is none of the principals of the team',
  404: 'no such object or path',
  409: 'a lost race, or the object is in no state for it',
  412: 'the generation is not the one in If-Match',
  413: 'the body is too large',
  415: 'the body is not JSON',
  422: 'the body does not validate: each fault with its path',
  503: 'the table could not be reached; try again after Retry-After seconds',
} as const

function problemResponses(): JsonObject {
  const schema = reference('Problem')
  return Object.fromEntries(
    Object.entries(PROBLEMS).map(([status, description]) => [
      `Problem${status}`,
      { description, content: { 'application/problem+json': { schema } } },
    ]),
  )
}
