/**
 * What every store refuses, whatever engine is under it.
 *
 * DynamoDB refuses these things too, but late, in its own words, and its emulators not all of them.
 * Both stores ask here first, so a caller's mistake fails in the fastest test and says what to
 * change.
 */
import { LIMITS } from '../model/limits.ts'
import { StoreError, type Condition, type Fields, type Key, type Write } from './store.ts'

/** A request that no store can carry out: a mistake of the caller, not of the table. */
export class StoreRefusal extends StoreError {
  constructor(text: string, seen: unknown, next: string) {
    super({ code: 'StoreRefused', text, seen, next })
  }
}

export function keyOfWrite(write: Write): Key {
  return write.kind === 'put' ? write.item : write.key
}

/** One text for a key, for maps and sets: no two keys share it. */
export function keyText({ pk, sk }: Key): string {
  return `${String(pk.length)}:${pk}${sk}`
}

export function requireKey({ pk, sk }: Key): void {
  requireKeyPart('pk', pk, LIMITS.partitionKeyMaxBytes)
  requireKeyPart('sk', sk, LIMITS.sortKeyMaxBytes)
}

export function requireKeyPart(part: 'pk' | 'sk', value: string, maxBytes: number): void {
  if (typeof value !== 'string' || value === '') {
    throw new StoreRefusal(`${part} must be a text that is not empty`, value, 'name the item')
  }
  // Three bytes a code unit is the most that UTF-8 needs: most keys are never measured.
  if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes) {
    const text = `${part} is longer than ${String(maxBytes)} bytes`
    throw new StoreRefusal(text, value.slice(0, 100), 'shorten the name')
  }
}

export function requireWrite(write: Write): void {
  requireKey(keyOfWrite(write))
  if (write.kind === 'check' && write.when.length === 0) {
    throw new StoreRefusal('a check without conditions checks nothing', write.key, 'add one')
  }
  requireConditions(write.when)
}

export function requireConditions(when: readonly Condition[] = []): void {
  for (const condition of when) {
    if ('field' in condition && condition.field === '') {
      throw new StoreRefusal('a condition names no field', condition, 'name one')
    }
  }
}

export function requireUpdate(key: Key, fields: Fields, when?: readonly Condition[]): void {
  requireKey(key)
  requireConditions(when)
  for (const name of Object.keys(fields)) {
    if (name === 'pk' || name === 'sk') {
      throw new StoreRefusal('an update cannot change a key', name, 'put a new item instead')
    }
  }
}

export function requireTransaction(writes: readonly Write[], token: string): void {
  const most = LIMITS.transactionMaxItems
  if (writes.length === 0 || writes.length > most) {
    const text = `a transaction holds 1 to ${String(most)} writes`
    throw new StoreRefusal(text, writes.length, 'split it')
  }
  if (token === '' || token.length > LIMITS.transactionTokenMaxChars) {
    const text = `a token has 1 to ${String(LIMITS.transactionTokenMaxChars)} characters`
    throw new StoreRefusal(text, token, 'hash it')
  }
  const seen = new Set<string>()
  for (const write of writes) {
    requireWrite(write)
    const text = keyText(keyOfWrite(write))
    if (seen.has(text)) {
      throw new StoreRefusal('two writes of one transaction name one item', text, 'merge them')
    }
    seen.add(text)
  }
}

export function requireLimit(limit: number | undefined): void {
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw new StoreRefusal(
      'a limit is a whole number above zero',
      limit,
      'ask for one item or more',
    )
  }
}
