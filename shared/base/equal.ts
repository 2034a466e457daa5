/**
 * Structural equality of plain JSON values, and a canonical text of them.
 *
 * "A pass that decides nothing writes nothing" needs a cheap, exact answer to "is this the item
 * that stands there already?", whatever order its keys were written in.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).filter(([, own]) => own !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, own]) => [key, sorted(own)]))
}

/**
 * True when two JSON values say the same, which is when their canonical texts are equal: the order
 * of keys is nothing, a key whose value is undefined counts as absent, and what JSON cannot say of
 * a number is null. Shared parts are equal at a glance.
 */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return isNull(a) && isNull(b)
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && sameLists(a, b)
  }
  return sameFields(a as Fields, b as Fields)
}

type Fields = Readonly<Record<string, unknown>>

function isNull(value: unknown): boolean {
  return value === null || (typeof value === 'number' && !Number.isFinite(value))
}

function sameLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  // An entry that is undefined is written as null, since the others must keep their places.
  return a.length === b.length && a.every((own, i) => sameJson(own ?? null, b[i] ?? null))
}

function sameFields(a: Fields, b: Fields): boolean {
  let left = 0
  for (const key of Object.keys(b)) if (b[key] !== undefined) left += 1
  for (const key of Object.keys(a)) {
    const own = a[key]
    if (own === undefined) continue
    if (!Object.hasOwn(b, key) || b[key] === undefined || !sameJson(own, b[key])) return false
    left -= 1
  }
  return left === 0
}

/** True for two lists of the very same values, in the same order. */
export function sameMembers(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}
