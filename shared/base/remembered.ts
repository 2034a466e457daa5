/**
 * What follows from a value alone, worked out once for as long as the value lives.
 *
 * A herd at rest is read again and again, and what did not change is the very same object each
 * time. Only frozen objects are remembered, and with `frozen` they are frozen throughout: whatever
 * may still change is looked at anew, so what is remembered can never be out of date.
 */
export function remembered<K extends object, V extends object>(
  make: (value: K) => V,
): (value: K) => V {
  const known = new WeakMap<K, V>()
  return (value) => {
    const old = known.get(value)
    if (old !== undefined) return old
    const made = make(value)
    if (Object.isFrozen(value)) known.set(value, made)
    return made
  }
}

/** What follows from two values together: for each `a`, for as long as it meets the same `b`. */
export function rememberedPair<A extends object, B extends object, V extends object>(
  make: (a: A, b: B) => V,
): (a: A, b: B) => V {
  const known = new WeakMap<A, { b: B; made: V }>()
  return (a, b) => {
    const old = known.get(a)
    if (old?.b === b) return old.made
    const made = make(a, b)
    if (!Object.isFrozen(a) || !Object.isFrozen(b)) return made
    if (old === undefined) known.set(a, { b, made })
    else [old.b, old.made] = [b, made]
    return made
  }
}

/** Asks once for each thing; made for one list of them, and forgotten with it. */
export function onceFor<T, V>(ask: (one: T) => V): (one: T) => V {
  const known = new Map<T, V>()
  return (one) => {
    const before = known.get(one)
    if (before !== undefined) return before
    const answer = ask(one)
    known.set(one, answer)
    return answer
  }
}
