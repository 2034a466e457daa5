/**
 * Names of things people name, and ids of things drover makes.
 *
 * People's names are DNS labels. Ids made by a pass are `<epoch>-<n>`: the fence makes the epoch
 * unique, the pass counts the rest, so no randomness is needed and two passes can never collide.
 */
import { z } from 'zod'
import { LIMITS } from './limits.ts'

export const nameSchema = z
  .string()
  .max(LIMITS.nameMaxChars, {
    error: `must have at most ${String(LIMITS.nameMaxChars)} characters`,
  })
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, {
    error: 'must be lower-case letters, digits and dashes, like recommender-2',
  })
  .meta({ id: 'Name', description: 'a DNS label: lower-case letters, digits, dashes' })

/** The kinds of document a person writes; the API's paths are their plurals. */
export const NOUNS = ['workload', 'pool', 'team'] as const
export type Noun = (typeof NOUNS)[number]
export type SpecKind = 'Workload' | 'Pool' | 'Team'

export const KIND_OF: Readonly<Record<Noun, SpecKind>> = {
  workload: 'Workload',
  pool: 'Pool',
  team: 'Team',
}
export const NOUN_OF: Readonly<Record<SpecKind, Noun>> = {
  Workload: 'workload',
  Pool: 'pool',
  Team: 'team',
}
export const PLURAL_OF = { workload: 'workloads', pool: 'pools', team: 'teams' } as const

/** The key of the taint and toleration that a team owns. */
export const TEAM_TAINT_KEY = 'drover/team'
