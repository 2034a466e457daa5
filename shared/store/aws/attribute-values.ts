/**
 * DynamoDB's typed JSON and plain JSON, both ways, for the places that meet the wire itself: the
 * stream's records and the little engine of local mode. The document client does the rest.
 *
 * Only the types of plain JSON exist here; a set or a blob was not written by drover, but may stand
 * in what a machine wrote. It is read as null, and the item's schema judges it.
 */
/** One value on the wire: an object with one field that names its type. */
export type WireValue = {
  readonly S?: string | undefined
  readonly N?: string | undefined
  readonly BOOL?: boolean | undefined
  readonly NULL?: boolean | undefined
  readonly L?: readonly WireValue[] | undefined
  readonly M?: WireFields | undefined
}
export type WireFields = { readonly [name: string]: WireValue }

export function fromWire(value: WireValue): unknown {
  if (value.S !== undefined) return value.S
  if (value.N !== undefined) return Number(value.N)
  if (value.BOOL !== undefined) return value.BOOL
  if (value.NULL === true) return null
  if (value.L !== undefined) return value.L.map(fromWire)
  if (value.M !== undefined) return fieldsFromWire(value.M)
  return null
}

export function fieldsFromWire(fields: WireFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, own]) => [name, fromWire(own)]))
}

export function toWire(value: unknown): WireValue {
  if (typeof value === 'string') return { S: value }
  if (typeof value === 'number') return { N: String(value) }
  if (typeof value === 'boolean') return { BOOL: value }
  if (value === null) return { NULL: true }
  if (Array.isArray(value)) return { L: value.map(toWire) }
  return { M: fieldsToWire(value as Readonly<Record<string, unknown>>) }
}

export function fieldsToWire(fields: Readonly<Record<string, unknown>>): WireFields {
  return Object.fromEntries(Object.entries(fields).map(([name, own]) => [name, toWire(own)]))
}
