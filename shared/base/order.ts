/**
 * Orderings that are the same on every machine.
 *
 * `localeCompare` depends on the host's locale data, so a plan sorted by it could differ between
 * two Lambdas; code-unit order never does.
 */
export type Compare<T> = (a: T, b: T) => number

export const byText: Compare<string> = (a, b) => (a < b ? -1 : a > b ? 1 : 0)
export const byNumber: Compare<number> = (a, b) => a - b

/** Orders by what `key` makes of each value. */
export function byKey<T, K extends string | number>(key: (value: T) => K): Compare<T> {
  return (a, b) => {
    const x = key(a)
    const y = key(b)
    return x < y ? -1 : x > y ? 1 : 0
  }
}

export function descending<T>(compare: Compare<T>): Compare<T> {
  return (a, b) => compare(b, a)
}

/** The first comparison that tells two values apart decides. */
export function inOrder<T>(...compares: readonly Compare<T>[]): Compare<T> {
  return (a, b) => {
    for (const compare of compares) {
      const result = compare(a, b)
      if (result !== 0) return result
    }
    return 0
  }
}

/** Groups values by key, keeping the order in which keys first appear. */
export function groupBy<T, K>(values: Iterable<T>, key: (value: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  // Most lists come with like beside like.
  let last: { readonly key: K; readonly group: T[] } | undefined
  for (const value of values) {
    const own = key(value)
    if (last === undefined || last.key !== own) {
      const group = groups.get(own) ?? []
      if (group.length === 0) groups.set(own, group)
      last = { key: own, group }
    }
    last.group.push(value)
  }
  return groups
}
