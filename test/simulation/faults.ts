/**
 * Decides what goes wrong: every fault is asked for here, by its name and by what it would strike.
 *
 * The answer depends on the seed and on those two names alone, and each fault that struck is noted.
 * So a world can be run again with some of its faults left out, which is how it is shrunk, and with
 * a fault that nobody drew, which is how crashes are tried one by one.
 */
import type { Chance } from './chance.ts'
import type { FaultKnobs, FaultName } from './options.ts'

export type Faults = {
  /** Whether the fault strikes this one: `crash` and `reconcile#12.5`, for example. */
  strikes(fault: FaultName, what: string): boolean
  /** `crash reconcile#12.5`, in the order in which they struck. */
  readonly struck: readonly string[]
  readonly knobs: FaultKnobs
  areOn(): boolean
  /** From now on nothing goes wrong any more. */
  end(): void
  /** Something went wrong just now, whoever did it. */
  note(): void
  lastAtMs(): number
}

export type FaultSetup = {
  readonly chance: Chance
  readonly knobs: FaultKnobs
  readonly now: () => number
  /** Where given, exactly these strike, and the knobs of rates mean nothing. */
  readonly only?: ReadonlySet<string>
}

export function makeFaults({ chance, knobs, now, only }: FaultSetup): Faults {
  const struck: string[] = []
  let on = true
  let lastAtMs = 0
  const isDrawn = (fault: FaultName, name: string): boolean => {
    if (only !== undefined) return only.has(name)
    const rate = knobs[fault]
    return rate > 0 && chance.of(name) < rate
  }
  return {
    struck,
    knobs,
    areOn: () => on,
    end: () => {
      on = false
    },
    note: () => {
      lastAtMs = now()
    },
    lastAtMs: () => lastAtMs,
    strikes: (fault, what) => {
      if (!on) return false
      const name = `${fault} ${what}`
      if (!isDrawn(fault, name)) return false
      struck.push(name)
      lastAtMs = now()
      return true
    },
  }
}
