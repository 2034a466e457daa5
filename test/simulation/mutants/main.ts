/**
 * `npm run sim:mutants`: for each rule, drover broken on purpose must be caught, within so many
 * seeds. A mutant that lives is a hole in the net: exit 1.
 *
 * `--only NAME` tries one, `--seeds N` gives each that many.
 */
import { parseArgs } from 'node:util'
import { DEFAULTS, type SimOptions } from '../options.ts'
import { runPool } from '#bench/measure/pool.ts'
import { planHerd, type Document } from '../script.ts'
import { misuse, progressBar, say } from '../terminal.ts'
import type { Summary, Told } from '../worker.ts'
import type { Mutant } from './mutant.ts'
import { MUTANTS } from './mutants.ts'

/** By what a mutant breaks: a document without which nothing can show it. */
const NEEDS: Readonly<Record<string, (document: Document) => boolean>> = {
  gang: ({ gang }) => gang !== undefined,
  services: ({ service }) => service !== undefined,
  data: ({ data }) => data !== undefined,
  scaling: ({ scale }) => scale !== undefined,
  'known hardware': ({ resources }) => 'gpu' in Object(resources),
}

/** As long as a rule's name gets. */
const CAUGHT_CHARS = 30

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seeds: { type: 'string', default: '240' },
    days: { type: 'string', default: '0.5' },
    story: { type: 'boolean', default: false },
  },
})

const seeds = Number(values.seeds)
const days = Number(values.days)
if (!(seeds >= 1 && days > 0)) misuse('--seeds and --days must be numbers above 0')
const mutants = MUTANTS.filter(
  ({ name }) => values.only === undefined || name.includes(values.only),
)
if (mutants.length === 0) misuse(`no mutant is named like ${String(values.only)}`)

const widest = Math.max(...mutants.map(({ name }) => name.length))
const row = (name: string, caught: string, seed: string): void => {
  say(`${name.padEnd(widest)}  ${caught.padEnd(CAUGHT_CHARS)}  ${seed.padStart(4)}`.trimEnd())
}

row('mutant', 'caught by', 'seed')
let alive = 0
for (const [i, mutant] of mutants.entries()) {
  progressBar(i / mutants.length, mutant.name)
  const caught = await hunt(mutant)
  if (caught === undefined) alive += 1
  const { rule = 'LIVES', options } = caught ?? {}
  row(mutant.name, rule, options === undefined ? '-' : String(options.seed))
  if (values.story && caught?.story !== undefined) say(caught.story)
}
progressBar(1, 'done')
say(
  `${String(mutants.length - alive)} of ${String(mutants.length)} mutants caught, ` +
    `each within ${String(seeds)} seeds of ${String(days)} days`,
)
if (alive > 0) process.exitCode = 1

/** Whoever breaks a gang, or forgets hardware, is not to be caught in worlds that have none. */
function isWorldFor({ breaks }: Mutant, options: SimOptions): boolean {
  const isThere = NEEDS[breaks]
  if (isThere === undefined) return true
  return planHerd(options).script.some((own) => own.kind === 'apply' && isThere(own.document))
}

/** The first world that catches it, by seed. */
async function hunt(mutant: Mutant): Promise<Summary | undefined> {
  const found: Summary[] = []
  const worlds = Array.from({ length: seeds }, (_, i): SimOptions => ({
    ...{ ...DEFAULTS, profile: mutant.profile ?? DEFAULTS.profile, days },
    seed: i + 1,
  })).filter((own) => isWorldFor(mutant, own))
  await runPool<SimOptions, Told>({
    jobs: worlds,
    module: new URL('worker.ts', import.meta.url),
    data: mutant,
    isEnough: () => found.length > 0,
    onAnswer: (told) => {
      if ('broken' in told) throw new Error(`${mutant.name}: ${told.broken.text}`)
      if (told.summary.rule !== undefined) found.push(told.summary)
    },
  })
  return found.toSorted((a, b) => a.options.seed - b.options.seed)[0]
}
