/**
 * The kinds of thing a person can name on the command line, however they like to write them.
 */
import { UsageError } from './errors.ts'
import { closest, listOr } from './suggest.ts'

export const KINDS = ['workload', 'pool', 'team', 'node', 'replica', 'event'] as const
export type Kind = (typeof KINDS)[number]

/** Endpoints are shown of one workload, and have no list of their own. */
export const SHOWN_KINDS = [...KINDS, 'endpoint'] as const
export type ShownKind = (typeof SHOWN_KINDS)[number]

export const PATH_OF: Readonly<Record<Kind, string>> = {
  workload: '/v1/workloads',
  pool: '/v1/pools',
  team: '/v1/teams',
  node: '/v1/nodes',
  replica: '/v1/replicas',
  event: '/v1/events',
}

const SHORT: Readonly<Record<ShownKind, string>> = {
  workload: 'wl',
  pool: 'po',
  team: 'te',
  node: 'no',
  replica: 're',
  event: 'ev',
  endpoint: 'ep',
}

export const pluralOf = (kind: ShownKind): string => `${kind}s`

const ALIASES: ReadonlyMap<string, ShownKind> = new Map(
  SHOWN_KINDS.flatMap((kind) =>
    [kind, pluralOf(kind), SHORT[kind]].map((name) => [name, kind] as const),
  ),
)

/** The kind somebody wrote, if it is one of `allowed`; throws UsageError with what would do. */
export function kindFrom<K extends ShownKind>(typed: string, allowed: readonly K[]): K {
  const found = ALIASES.get(typed.toLowerCase())
  const kind = allowed.find((own) => own === found)
  if (kind !== undefined) return kind
  const near = closest(
    typed.toLowerCase(),
    allowed.flatMap((own) => [own, pluralOf(own)]),
  )[0]
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  throw new UsageError(
    found === undefined
      ? `"${typed}" is no kind of thing${hint}`
      : `${pluralOf(found)} cannot be used here`,
    `use ${listOr(allowed.map(pluralOf))}`,
  )
}

export type Target<K extends Kind = Kind> = { readonly kind: K; readonly name: string }

/** `workload/web` taken apart; throws UsageError when it is no KIND/NAME. */
export function targetFrom<K extends Kind>(typed: string, allowed: readonly K[]): Target<K> {
  const slash = typed.indexOf('/')
  const name = typed.slice(slash + 1)
  if (slash < 1 || name === '') {
    throw new UsageError(`"${typed}" is no KIND/NAME`, 'write it like workload/web')
  }
  return { kind: kindFrom(typed.slice(0, slash), allowed), name }
}

/** What stands where a name of this kind is wanted: `web`, or `workload/web` as printed. */
export function namedTarget<K extends Kind>(kind: K, typed: string): Target<K> {
  return typed.includes('/') ? targetFrom(typed, [kind]) : { kind, name: typed }
}

export const textOf = ({ kind, name }: Target): string => `${kind}/${name}`

/** The API's path of one object. */
export const objectPath = ({ kind, name }: Target): string =>
  `${PATH_OF[kind]}/${encodeURIComponent(name)}`
