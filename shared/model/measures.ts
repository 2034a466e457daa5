/**
 * Measures held against limits.
 *
 * A limit is a promise that something was measured: a measure that is not there has not kept to it.
 */
import type { MeasureLimit } from './burn-in.ts'
import type { VerdictName } from './verdict.ts'

type Measures = Readonly<Record<string, number>>
type Limits = Readonly<Record<string, MeasureLimit>>

export type Breach = { readonly verdict: VerdictName; readonly text: string }

/** Every limit that is not kept, in the order of the limits. */
export function breachesOf(measures: Measures, limits: Limits): readonly Breach[] {
  return Object.entries(limits).flatMap(([name, limit]): Breach[] => {
    const value = measures[name]
    if (value === undefined) return [{ verdict: 'UNKNOWN', text: `${name} was not measured` }]
    const { min, max, otherwise } = limit
    const told = `${name} is ${String(value)}`
    if (min !== undefined && !(value >= min)) {
      return [{ verdict: otherwise, text: `${told}, and at least ${String(min)} is asked for` }]
    }
    if (max !== undefined && !(value <= max)) {
      return [{ verdict: otherwise, text: `${told}, and at most ${String(max)} is allowed` }]
    }
    return []
  })
}
