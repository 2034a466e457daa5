/**
 * A world as text: its options, what may be bought, its steps, and the faults that strike.
 *
 * This is what the shrinker ends with and what a regression is kept as: prose in comments, then a
 * line for each thing that matters. Without a `fault` line nothing goes wrong but the steps.
 */
import { quotaPolicySchema, type QuotaPolicyName } from '#shared/model/quota-policy.ts'
import type { HerdName, ProfileName, SimOptions } from './options.ts'
import type { HerdPlan, Happening, Step } from './script.ts'

export type ToldWorld = {
  readonly options: SimOptions
  readonly plan: HerdPlan
  readonly only: ReadonlySet<string>
}

/** Lines of text for the world, in the form that `parseCase` reads. */
export function printCase({ options, plan, only }: ToldWorld): string {
  const { seed, days, profile, herd } = options
  return [
    `seed ${String(seed)}`,
    `hours ${String(Math.round(days * 24 * 1000) / 1000)}`,
    `knobs ${profile} ${herd}`,
    `sells ${String(plan.capacity.min)}-${String(plan.capacity.max)} ${plan.types.join(' ')}`,
    ...(plan.quotaPolicy === undefined ? [] : [`policy ${plan.quotaPolicy}`]),
    ...plan.script.map(({ atMs, kind, ...rest }) => {
      const words = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`
      return `at ${String(atMs / 1000)}s ${kind}${words}`
    }),
    ...[...only].map((name) => `fault ${name}`),
  ].join('\n')
}

type Draft = {
  seed: number
  hours: number
  profile: ProfileName
  herd: HerdName
  types: string[]
  capacity: { min: number; max: number }
  quotaPolicy?: QuotaPolicyName
  readonly script: Step[]
  readonly only: Set<string>
}

type Reader = (draft: Draft, rest: string) => void

const readers: Readonly<Record<string, Reader>> = {
  seed: (draft, rest) => {
    draft.seed = Number(rest)
  },
  hours: (draft, rest) => {
    draft.hours = Number(rest)
  },
  knobs: (draft, rest) => {
    const [profile, herd] = rest.split(' ')
    draft.profile = profile as ProfileName
    draft.herd = herd as HerdName
  },
  sells: (draft, rest) => {
    const [range = '', ...types] = rest.split(' ')
    const [min, max] = range.split('-').map(Number)
    draft.capacity = { min: min ?? 0, max: max ?? 0 }
    draft.types = types
  },
  policy: (draft, rest) => {
    draft.quotaPolicy = quotaPolicySchema.parse(rest)
  },
  at: (draft, rest) => {
    const match = /^([0-9.]+)s (\S+)(?: (.*))?$/.exec(rest)
    if (match === null) throw new Error(`not a step: at ${rest}`)
    const [, seconds, kind, words] = match
    const told = { kind, ...(words === undefined ? {} : (JSON.parse(words) as object)) }
    draft.script.push({ atMs: Math.round(Number(seconds) * 1000), ...(told as Happening) })
  },
  fault: (draft, rest) => {
    draft.only.add(rest)
  },
}

/** The world that the text tells; throws naming the line that nobody can read. */
export function parseCase(text: string): ToldWorld {
  const draft: Draft = {
    ...{ seed: 0, hours: 1, profile: 'calm', herd: 'small', types: [] },
    ...{ capacity: { min: 1, max: 6 }, script: [], only: new Set() },
  }
  for (const line of text.split('\n').map((own) => own.trim())) {
    if (line === '' || line.startsWith('#')) continue
    const [word = ''] = line.split(' ', 1)
    const read = readers[word]
    if (read === undefined) throw new Error(`a case does not know '${word}' (${line})`)
    read(draft, line.slice(word.length + 1))
  }
  const { seed, hours, profile, herd, types, capacity, script, only, quotaPolicy } = draft
  return {
    options: { seed, days: hours / 24, profile, herd },
    plan: { types, capacity, script, ...(quotaPolicy === undefined ? {} : { quotaPolicy }) },
    only,
  }
}
