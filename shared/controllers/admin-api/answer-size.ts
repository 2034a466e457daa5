/**
 * How much one answer may hold: Lambda's ends at 6 MB, in which the body is a text within JSON, so
 * that each of its quotes counts twice.
 */
import { jsonBytes } from '../../base/bytes.ts'
import { LIMITS } from '../../model/limits.ts'

/** As many of the first items as one answer holds, and one at least where there is any. */
export function fitting<T>(
  items: readonly T[],
  mostBytes: number = LIMITS.answerMaxBytes,
): readonly T[] {
  let bytes = 0
  const end = items.findIndex((own) => {
    bytes += jsonBytes(JSON.stringify(own)) + 1
    return bytes > mostBytes
  })
  return end < 0 ? items : items.slice(0, Math.max(1, end))
}

/** Such a page, and where to go on: after its last item, or where a shorter list ended. */
export function fittingPage<T>(
  { items, next }: { readonly items: readonly T[]; readonly next: string | undefined },
  cursorOf: (item: T) => string,
): { readonly items: readonly T[]; readonly next?: string } {
  const first = fitting(items)
  const last = first.at(-1)
  const goesOn = first.length < items.length && last !== undefined ? cursorOf(last) : next
  return { items: first, ...(goesOn === undefined ? {} : { next: goesOn }) }
}
