/**
 * "Did you mean …": the names closest to what somebody typed.
 *
 * The schemas suggest one field; a person looking for an object is better served by a few names,
 * and often has typed only the beginning or the middle of one.
 */
import { byKey, byText, inOrder } from '#shared/base/order.ts'
import { editDistance } from '#shared/protocol/suggest.ts'

const SUGGESTIONS_MAX = 3

/** Up to three known names that are near the typed one, nearest first. */
export function closest(typed: string, known: readonly string[]): readonly string[] {
  const far = Math.max(1, Math.floor(typed.length / 3))
  return known
    .map((name) => ({ name, distance: distanceTo(typed, name) }))
    .filter(({ distance }) => distance <= far)
    .sort(
      inOrder(
        byKey(({ distance }) => distance),
        (a, b) => byText(a.name, b.name),
      ),
    )
    .slice(0, SUGGESTIONS_MAX)
    .map(({ name }) => name)
}

/** A name that holds what was typed is as near as one wrong letter. */
function distanceTo(typed: string, name: string): number {
  return typed.length >= 2 && name.includes(typed) ? 1 : editDistance(typed, name)
}

/** `a`, `a or b`, `a, b or c` */
export function listOr(names: readonly string[]): string {
  if (names.length <= 1) return names.join('')
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1) ?? ''}`
}
