/**
 * Tries a crash at every call of a port that the tour makes: before it is done and after, and with
 * each choice of up to three of the calls that are under way beside it.
 *
 * The tour is run once to learn its calls and where in the code each of them stands; then once for
 * every crash. Up to the crash each run is the very same world, so the call meant is the call hit.
 */
import { makeAuditor } from '../auditor/auditor.ts'
import type { Fate } from '../calls.ts'
import { runWorld, type Outcome } from '../run.ts'
import { siteOfStack } from './sites.ts'
import { TOUR } from './tour.ts'

/** One call of the tour. */
export type TourCall = {
  /** `reconcile#12.5` */
  readonly name: string
  readonly calls: string
  readonly site: string | undefined
  readonly beside: readonly string[]
}

export type Crash = {
  readonly call: string
  readonly fate: Extract<Fate, 'crash-before' | 'crash-after'>
  /** Calls beside it that are done all the same. */
  readonly done: readonly string[]
}

export type Tried = { readonly crash: Crash; readonly story?: string }

const BESIDE_MAX = 3

/** The calls of controllers that the tour makes, in their order. */
export async function learnTour(): Promise<{
  readonly calls: readonly TourCall[]
  readonly outcome: Outcome
}> {
  const sites = new Map<string, string | undefined>()
  const calls: TourCall[] = []
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 30
  try {
    const outcome = await runWorld({
      ...{ ...TOUR, makeAuditor },
      hooks: {
        onPark: (name) => {
          sites.set(name, siteOfStack(new Error().stack ?? ''))
        },
        onRelease: ({ name, port, method, by, beside }) => {
          if (by.role === 'agent') return
          calls.push({ name, calls: `${port}.${method}`, site: sites.get(name), beside })
        },
      },
    })
    return { calls, outcome }
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** Every crash there is at these calls. */
export function crashesAt(calls: readonly TourCall[]): readonly Crash[] {
  return calls.flatMap(({ name: call, beside }) =>
    subsets(beside.slice(0, BESIDE_MAX)).flatMap((done): Crash[] => [
      { call, fate: 'crash-before', done },
      { call, fate: 'crash-after', done },
    ]),
  )
}

function subsets(names: readonly string[]): readonly (readonly string[])[] {
  return names.reduce<readonly (readonly string[])[]>(
    (all, name) => [...all, ...all.map((own) => [...own, name])],
    [[]],
  )
}

/** The tour with one crash in it. */
export async function tryCrash(crash: Crash): Promise<Outcome> {
  const beside = new Set(crash.done)
  return runWorld({
    ...{ ...TOUR, makeAuditor },
    hooks: {
      decide: ({ name }) => (name === crash.call ? { fate: crash.fate, beside } : undefined),
    },
  })
}
