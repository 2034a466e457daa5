/**
 * "Did you mean …?" for a misspelt field or name.
 *
 * A suggestion that is far off is worse than none, so it must be within a third of the word's
 * length.
 */

/** Insertions, deletions, substitutions and swaps of neighbours between two short words. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1]
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
      )
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}

/** The known word nearest to `word`, if it is near enough to have been meant. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  const longest = Math.max(0, ...known.map((own) => own.length))
  if (word.length > longest * 2) return undefined
  const lower = word.toLowerCase()
  let best: { own: string; distance: number } | undefined
  for (const own of known) {
    const distance = editDistance(lower, own.toLowerCase())
    const allowed = Math.max(1, Math.floor(Math.max(own.length, lower.length) / 3))
    if (distance <= allowed && distance < (best?.distance ?? Infinity)) best = { own, distance }
  }
  return best?.own
}
