/**
 * What a mutant is: a mistake that somebody could make.
 *
 * A step left out, two steps in the wrong order, a condition forgotten. Its patch names text that
 * stands in the source exactly once, so a mutant that no longer fits the code says so.
 */
import type { ProfileName } from '../options.ts'

export type Patch = {
  readonly file: string
  readonly replace: string
  readonly by: string
}

/** A file may be named more than once: `#` tells its patches apart. */
export const sourceOf = ({ file }: Patch): string => file.replace('#', '')

export type Mutant = {
  readonly name: string
  /** The rule that it breaks, as DESIGN §5 and §6 have it. */
  readonly breaks: string
  readonly patches: readonly Patch[]
  readonly profile?: ProfileName
}

export const planner = (name: string): string => `shared/planner/${name}.ts`
export const reconcile = (name: string): string => `shared/controllers/reconcile/${name}.ts`

export const admin = (name: string): string => `shared/controllers/admin-api/${name}.ts`

type One = Omit<Patch, 'file'>
export const mutant = (
  name: string,
  breaks: string,
  patches: Readonly<Record<string, One>>,
): Mutant => ({
  name,
  breaks,
  patches: Object.entries(patches).map(([file, patch]) => ({ file, ...patch })),
})

export const inOrdinaryWeather: typeof mutant = (...facts) => ({
  ...mutant(...facts),
  profile: 'default',
})
