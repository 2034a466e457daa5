/**
 * Event patterns as EventBridge and Lambda's filters read them, as far as drover writes them:
 * objects nest, a list names the values that will do.
 */
export type Pattern = { readonly [field: string]: Pattern | readonly string[] }

/** True when every field that the pattern names has one of the values it lists. */
export function matchesPattern(pattern: Pattern, event: unknown): boolean {
  return Object.entries(pattern).every(([field, wanted]) => {
    const seen = fieldOf(event, field)
    if (!isList(wanted)) return matchesPattern(wanted, seen)
    return typeof seen === 'string' && wanted.includes(seen)
  })
}

function fieldOf(event: unknown, field: string): unknown {
  if (typeof event !== 'object' || event === null) return undefined
  return (event as Readonly<Record<string, unknown>>)[field]
}

const isList = (own: Pattern | readonly string[]): own is readonly string[] => Array.isArray(own)
