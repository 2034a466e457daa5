/**
 * Values as a table keeps them: copied, frozen, measured and checked in one walk.
 *
 * A store in memory must neither share an object with its callers nor copy half a megabyte on each
 * read. Frozen values can be handed out as they are, and because callers build new items from old
 * ones (`{ ...node, phase }`), a subtree that was frozen here before is recognised and kept, not
 * walked. Equality uses the same fact: shared subtrees are equal at a glance.
 */
import { LIMITS } from '../model/limits.ts'
import { StoreRefusal } from './rules.ts'
import type { Item } from './store.ts'

/** Below this, copying anew is cheaper than remembering. */
const REMEMBERED_MIN_BYTES = 256
/** DynamoDB's overhead of a map or list, and of each entry in it. */
const CONTAINER_BYTES = 3
const ENTRY_BYTES = 1
const NUMBER_MIN = 1e-130
const SHORT_TEXT = 64

type Measure = { readonly bytes: number; readonly depth: number }
type Frozen = Measure & { readonly value: unknown }
type FrozenObject = Measure & { readonly value: object }

const known = new WeakMap<object, Measure>()

/**
 * The item without undefined values, deeply frozen; throws StoreRefusal for what no table can hold.
 */
export function freezeItem(item: Item): { item: Item; bytes: number } {
  // The item itself is no map within a map: it has no overhead and no level of its own.
  const { value, bytes, depth } = freezeContainer(item, 'the item')
  const size = bytes - CONTAINER_BYTES - Object.keys(value).length * ENTRY_BYTES
  if (size > LIMITS.itemMaxBytes) {
    const text = `the item has ${String(size)} bytes; ${String(LIMITS.itemMaxBytes)} is the most`
    throw new StoreRefusal(text, { pk: item.pk, sk: item.sk }, 'split it over several items')
  }
  if (depth - 1 > LIMITS.itemMaxDepth) {
    const text = `the item nests deeper than ${String(LIMITS.itemMaxDepth)} levels`
    throw new StoreRefusal(text, { pk: item.pk, sk: item.sk }, 'flatten it')
  }
  return { item: value as Item, bytes: size }
}

function freeze(value: unknown, name: string): Frozen {
  switch (typeof value) {
    case 'string':
      return { value, bytes: textBytes(value), depth: 0 }
    case 'number':
      return { value: requireNumber(value, name), bytes: numberBytes(value), depth: 0 }
    case 'boolean':
      return { value, bytes: 1, depth: 0 }
    case 'object':
      return value === null ? { value, bytes: 1, depth: 0 } : freezeContainer(value, name)
    default:
      throw new StoreRefusal(`${name} holds a ${typeof value}`, name, 'store plain JSON')
  }
}

function freezeContainer(value: object, name: string): FrozenObject {
  const measure = known.get(value)
  if (measure !== undefined) return { value, ...measure }
  if (Array.isArray(value)) return freezeList(value, name)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw new StoreRefusal(`${name} is no plain object`, name, 'store plain JSON')
  }
  return freezeFields(value, name)
}

function freezeList(list: readonly unknown[], name: string): FrozenObject {
  const copy: unknown[] = []
  let bytes = CONTAINER_BYTES
  let depth = 0
  for (const own of list) {
    if (own === undefined) continue
    const frozen = freeze(own, name)
    copy.push(frozen.value)
    bytes += frozen.bytes + ENTRY_BYTES
    depth = Math.max(depth, frozen.depth)
  }
  return remember(copy, { bytes, depth: depth + 1 })
}

function freezeFields(fields: object, name: string): FrozenObject {
  const copy: Record<string, unknown> = {}
  let bytes = CONTAINER_BYTES
  let depth = 0
  for (const field of Object.keys(fields)) {
    const own = (fields as Record<string, unknown>)[field]
    if (own === undefined) continue
    if (field === '' || field === '__proto__') {
      throw new StoreRefusal(`${name} has a field named "${field}"`, field, 'name it otherwise')
    }
    const frozen = freeze(own, field)
    copy[field] = frozen.value
    bytes += textBytes(field) + frozen.bytes + ENTRY_BYTES
    depth = Math.max(depth, frozen.depth)
  }
  return remember(copy, { bytes, depth: depth + 1 })
}

function remember(value: object, measure: Measure): FrozenObject {
  Object.freeze(value)
  if (measure.bytes >= REMEMBERED_MIN_BYTES) known.set(value, measure)
  return { value, ...measure }
}

function requireNumber(value: number, name: string): number {
  const tooSmall = value !== 0 && Math.abs(value) < NUMBER_MIN
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER || tooSmall) {
    throw new StoreRefusal(`${name} holds a number no table keeps`, value, 'store a text')
  }
  return value === 0 ? 0 : value
}

/** Most texts are short and plain, and those are measured without a call out of JavaScript. */
function textBytes(text: string): number {
  if (text.length > SHORT_TEXT) return Buffer.byteLength(text)
  for (let i = 0; i < text.length; i += 1) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  }
  return text.length
}

/** At least what DynamoDB counts: a byte for two digits, one for the exponent, one for a minus. */
function numberBytes(value: number): number {
  const digits = Number.isInteger(value) ? Math.ceil(Math.log10(Math.abs(value) + 1)) : 17
  return Math.ceil(digits / 2) + 1 + (value < 0 ? 1 : 0)
}

/** Structural equality of two values frozen here. */
export function sameFrozen(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    return a.every((entry, index) => sameFrozen(entry, b[index]))
  }
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>]
  const names = Object.keys(x)
  if (names.length !== Object.keys(y).length) return false
  return names.every((name) => Object.hasOwn(y, name) && sameFrozen(x[name], y[name]))
}
