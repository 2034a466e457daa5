/**
 * From the bytes of a body to plain JSON that the table can hold.
 *
 * JSON allows more than drover can keep or a process can be started with: nesting without end,
 * halves of surrogate pairs, NUL, numbers beyond DynamoDB's, and the key `__proto__`. Whatever
 * passes here is safe to parse, to store and to hand on; whatever does not is the client's to
 * mend.
 */
import { LIMITS } from '../model/limits.ts'
import type { ProblemFault } from './api.ts'
import { pathText } from './faults.ts'

export type BodyFault = { code: 'MalformedJson' | 'TooDeep' | 'BadEncoding'; detail: string }
export type ParsedBody = { ok: true; value: unknown } | { ok: false; fault: BodyFault }

/** Parses UTF-8 JSON of at most LIMITS.bodyMaxDepth levels; an empty body is `undefined`. */
export function parseBody(bytes: Uint8Array): ParsedBody {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return refused('BadEncoding', 'the body is not UTF-8')
  }
  if (text.trim() === '') return { ok: true, value: undefined }
  if (depthOf(text) > LIMITS.bodyMaxDepth) {
    return refused(
      'TooDeep',
      `the body nests deeper than ${String(LIMITS.bodyMaxDepth)} levels; no document does`,
    )
  }
  try {
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch (error) {
    return refused('MalformedJson', `the body is not JSON: ${(error as Error).message}`)
  }
}

function refused(code: BodyFault['code'], detail: string): ParsedBody {
  return { ok: false, fault: { code, detail } }
}

/** How deep brackets nest outside of strings, found without recursion. */
export function depthOf(text: string): number {
  let [depth, deepest, quoted] = [0, 0, false]
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]
    if (quoted) {
      if (char === '\\') at += 1
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === '{' || char === '[') deepest = Math.max(deepest, (depth += 1))
    else if (char === '}' || char === ']') depth -= 1
  }
  return deepest
}

/** Beyond these, DynamoDB refuses a number or a sum of milli-units stops being exact. */
const NUMBER_MAX = 1e12
const NUMBER_MIN = 1e-9

/**
 * What no document may hold wherever it stands, each with its path. Recursion is bounded by
 * parseBody.
 */
export function screen(value: unknown, path: readonly PropertyKey[] = []): ProblemFault[] {
  const own = faultOf(value)
  if (own !== undefined) return [{ path: pathText(path), message: own }]
  if (Array.isArray(value)) return value.flatMap((item, index) => screen(item, [...path, index]))
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([key, item]) => {
    const isNoName = key === '__proto__' || key === ''
    const bad = isNoName ? 'must not be used as a name' : faultOf(key)
    if (bad !== undefined) return [{ path: pathText([...path, key]), message: bad }]
    return screen(item, [...path, key])
  })
}

function faultOf(value: unknown): string | undefined {
  if (typeof value === 'string') {
    if (value.includes('\0')) return 'must not contain the NUL character'
    if (!value.isWellFormed()) return 'must be whole Unicode characters, not half a surrogate pair'
  }
  if (typeof value !== 'number' || value === 0) return undefined
  const size = Math.abs(value)
  if (size <= NUMBER_MAX && size >= NUMBER_MIN) return undefined
  const range = `${String(NUMBER_MIN)} and ${String(NUMBER_MAX)}`
  return `must be a number of a size between ${range}, not ${String(value)}`
}
