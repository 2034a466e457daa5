/**
 * Conditions and updates as DynamoDB writes them: text with placeholders, and what they stand for.
 *
 * Each kind of condition has one fragment, in one table that the compiler keeps complete. Names and
 * values always travel as placeholders, so no field can collide with a reserved word.
 */
import type { Condition, Fields } from '../store.ts'

/** The placeholders of one request. */
type Scope = { name(field: string): string; value(value: unknown): string }

type Kind = Condition['is']
type Fragment<K extends Kind> = (condition: Extract<Condition, { is: K }>, scope: Scope) => string

const fragments: { readonly [K in Kind]: Fragment<K> } = {
  absent: (_condition, scope) => `attribute_not_exists(${scope.name('pk')})`,
  present: (_condition, scope) => `attribute_exists(${scope.name('pk')})`,
  equal: ({ field, value }, scope) => `${scope.name(field)} = ${scope.value(value)}`,
  below: ({ field, value }, scope) => {
    const name = scope.name(field)
    return `(attribute_not_exists(${name}) OR ${name} < ${scope.value(value)})`
  },
}

/** The parts of a request that say what must hold and what to set; empty ones are left out. */
export type Expressions = {
  ConditionExpression?: string
  UpdateExpression?: string
  ExpressionAttributeNames?: Record<string, string>
  ExpressionAttributeValues?: Record<string, unknown>
}

/** `when` joined by AND; nothing at all where there is no condition. */
export function conditionOf(when: readonly Condition[] | undefined): Expressions {
  return build((scope) => conditionPart(when, scope))
}

/** SET for each field with a value, REMOVE for each that is undefined, under the conditions. */
export function updateOf(fields: Fields, when: readonly Condition[] | undefined): Expressions {
  return build((scope) => {
    const entries = Object.entries(fields)
    const sets = entries
      .filter(([, value]) => value !== undefined)
      .map(([field, value]) => `${scope.name(field)} = ${scope.value(value)}`)
    const removes = entries
      .filter(([, value]) => value === undefined)
      .map(([field]) => scope.name(field))
    const clauses = [
      ...(sets.length > 0 ? [`SET ${sets.join(', ')}`] : []),
      ...(removes.length > 0 ? [`REMOVE ${removes.join(', ')}`] : []),
    ]
    return {
      ...(clauses.length > 0 && { UpdateExpression: clauses.join(' ') }),
      ...conditionPart(when, scope),
    }
  })
}

function conditionPart(when: readonly Condition[] | undefined, scope: Scope): Expressions {
  if (when === undefined || when.length === 0) return {}
  const texts = when.map((condition) =>
    (fragments[condition.is] as Fragment<Kind>)(condition, scope),
  )
  return { ConditionExpression: texts.join(' AND ') }
}

function build(part: (scope: Scope) => Expressions): Expressions {
  const names = new Map<string, string>()
  const values: Record<string, unknown> = {}
  const scope: Scope = {
    name: (field) => {
      const known = names.get(field) ?? `#n${String(names.size)}`
      names.set(field, known)
      return known
    },
    value: (value) => {
      const placeholder = `:v${String(Object.keys(values).length)}`
      values[placeholder] = value
      return placeholder
    },
  }
  const expressions = part(scope)
  const placeholders = [...names].map(([field, placeholder]) => [placeholder, field] as const)
  return {
    ...expressions,
    ...(names.size > 0 && { ExpressionAttributeNames: Object.fromEntries(placeholders) }),
    ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
  }
}
