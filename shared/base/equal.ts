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

/** True when two JSON values say the same; a key whose value is undefined counts as absent. */
export function sameJson(a: unknown, b: unknown): boolean {
  return a === b || canonicalJson(a) === canonicalJson(b)
}
