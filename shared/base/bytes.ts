/**
 * Sizes in bytes, as DynamoDB counts them: of UTF-8, not of JavaScript's characters.
 */

/** Bytes of the value as JSON text. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
