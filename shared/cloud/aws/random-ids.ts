/**
 * Ids from the system's randomness: 80 bits in sixteen characters, so that two never meet and a
 * person can still read one out.
 */
import { randomBytes } from 'node:crypto'
import type { Ids } from '../ids.ts'

/**
 * Crockford's base 32: no i, l, o or u to misread. A power of two, so that no character is
 * likelier.
 */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const UID_CHARS = 16

export function makeRandomIds(): Ids {
  return {
    uid: () =>
      [...randomBytes(UID_CHARS)].map((byte) => ALPHABET.charAt(byte % ALPHABET.length)).join(''),
  }
}
