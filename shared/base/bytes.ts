/**
 * Sizes in bytes, as DynamoDB counts them: of UTF-8, not of JavaScript's characters.
 */
const encoder = new TextEncoder()

/** Bytes of the value as JSON text. */
export function jsonBytes(value: unknown): number {
  return encoder.encode(JSON.stringify(value)).length
}
