/**
 * DynamoDB's expressions read back into the store's own terms: the reverse of what drover's store
 * and agent write, and nothing more.
 *
 * An engine that half understands an expression would quietly apply the wrong write, so whatever is
 * not one of the known fragments, whole, is refused.
 */
import { fromWire, type WireValue } from '#shared/store/aws/attribute-values.ts'
import { absent, below, equal, present, type Condition } from '#shared/store/store.ts'

/** An expression that this engine does not know. */
export class UnknownExpression extends Error {
  constructor(text: string) {
    super(`this engine does not understand the expression: ${text}`)
  }
}

export type Placeholders = {
  readonly names: Readonly<Record<string, string>>
  readonly values: Readonly<Record<string, WireValue>>
}

const NAME = String.raw`(#\w+|[A-Za-z_]\w*)`
const VALUE = String.raw`(:\w+)`
const pattern = (text: string): RegExp => new RegExp(`^${text}$`)

type Reader = {
  readonly matches: RegExp
  readonly read: (parts: readonly string[], placeholders: Placeholders) => Condition | undefined
}

const readers: readonly Reader[] = [
  {
    matches: pattern(String.raw`attribute_not_exists\s*\(\s*${NAME}\s*\)`),
    read: ([name = ''], placeholders) => (isKey(nameOf(name, placeholders)) ? absent : undefined),
  },
  {
    matches: pattern(String.raw`attribute_exists\s*\(\s*${NAME}\s*\)`),
    read: ([name = ''], placeholders) => (isKey(nameOf(name, placeholders)) ? present : undefined),
  },
  {
    matches: pattern(String.raw`${NAME}\s*=\s*${VALUE}`),
    read: ([name = '', value = ''], placeholders) => {
      const seen = valueOf(value, placeholders)
      const isPlain = ['string', 'number', 'boolean'].includes(typeof seen)
      return isPlain ? equal(nameOf(name, placeholders), seen as string) : undefined
    },
  },
  {
    matches: pattern(
      String.raw`\(\s*attribute_not_exists\s*\(\s*${NAME}\s*\)\s+OR\s+${NAME}\s*<\s*${VALUE}\s*\)`,
    ),
    read: ([name = '', again, value = ''], placeholders) => {
      const most = valueOf(value, placeholders)
      return name === again && typeof most === 'number'
        ? below(nameOf(name, placeholders), most)
        : undefined
    },
  },
]

/** A ConditionExpression as conditions; throws UnknownExpression. */
export function readCondition(
  text: string | undefined,
  placeholders: Placeholders,
): readonly Condition[] {
  if (text === undefined) return []
  return text.split(/\s+AND\s+/).map((term) => readTerm(term.trim(), placeholders))
}

function readTerm(term: string, placeholders: Placeholders): Condition {
  for (const { matches, read } of readers) {
    const found = matches.exec(term)
    const condition = found === null ? undefined : read(found.slice(1), placeholders)
    if (condition !== undefined) return condition
  }
  throw new UnknownExpression(term)
}

/** An UpdateExpression as fields, undefined for those to remove; throws UnknownExpression. */
export function readUpdate(
  text: string | undefined,
  placeholders: Placeholders,
): Readonly<Record<string, unknown>> {
  if (text === undefined) return {}
  const [, sets, removes] = /^\s*(?:SET\s+(.+?))?\s*(?:REMOVE\s+(.+?))?\s*$/.exec(text) ?? []
  if (sets === undefined && removes === undefined) throw new UnknownExpression(text)
  return {
    ...Object.fromEntries(splitList(sets).map((clause) => readSet(clause, placeholders))),
    ...Object.fromEntries(splitList(removes).map((name) => readRemove(name, placeholders))),
  }
}

const splitList = (list: string | undefined): readonly string[] =>
  list === undefined ? [] : list.split(',').map((part) => part.trim())

function readSet(clause: string, placeholders: Placeholders): [string, unknown] {
  const [, name, value] = pattern(String.raw`${NAME}\s*=\s*${VALUE}`).exec(clause) ?? []
  if (name === undefined || value === undefined) throw new UnknownExpression(clause)
  return [nameOf(name, placeholders), valueOf(value, placeholders)]
}

function readRemove(text: string, placeholders: Placeholders): [string, undefined] {
  if (!pattern(NAME).test(text)) throw new UnknownExpression(text)
  return [nameOf(text, placeholders), undefined]
}

const isKey = (name: string): boolean => name === 'pk' || name === 'sk'

function nameOf(text: string, { names }: Placeholders): string {
  const name = text.startsWith('#') ? names[text] : text
  if (name === undefined) throw new UnknownExpression(text)
  return name
}

function valueOf(text: string, { values }: Placeholders): unknown {
  const value = values[text]
  if (value === undefined) throw new UnknownExpression(text)
  return fromWire(value)
}
