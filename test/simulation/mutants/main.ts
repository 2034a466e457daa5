/**
 * `npm run sim:mutants`: for each rule, drover broken on purpose must be caught, within so many
 * seeds. A mutant that lives is a hole in the net, and so is a rule that catches none: exit 1.
 *
 * `--only NAME` tries one, `--rule NAME` asks that rule alone, `--seeds N` gives each that many.
 * The world that caught a mutant last (`seeds.json`) is tried first, before all from seed 1 on;
 * `--remember` keeps those that did now.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { RULES } from '../auditor/rules.ts'
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
    rule: { type: 'string' },
    seeds: { type: 'string', default: '240' },
    days: { type: 'string', default: '0.5' },
    story: { type: 'boolean', default: false },
    remember: { type: 'boolean', default: false },
  },
})

const seeds = Number(values.seeds)
const days = Number(values.days)
if (!(seeds >= 1 && days > 0)) misuse('--seeds and --days must be numbers above 0')
const FROM_THE_FIRST = Array.from({ length: seeds }, (_, i) => i + 1)
const mutants = MUTANTS.filter(
  ({ name }) => values.only === undefined || name.includes(values.only),
)
if (values.rule !== undefined && !RULES.some((own) => own === values.rule))
  misuse(`no rule is named ${values.rule}; they are: ${RULES.join(', ')}`)
if (mutants.length === 0) misuse(`no mutant is named like ${String(values.only)}`)

const SEEDS = new URL('seeds.json', import.meta.url)
const known = JSON.parse(readFileSync(SEEDS, 'utf8')) as Readonly<Record<string, number>>

const widest = Math.max(...mutants.map(({ name }) => name.length))
const row = (name: string, caught: string, seed: string): void => {
  say(`${name.padEnd(widest)}  ${caught.padEnd(CAUGHT_CHARS)}  ${seed.padStart(4)}`.trimEnd())
}

row('mutant', 'caught by', 'seed')
const found = new Map<Mutant, Summary | undefined>()
let begun = 0
let told = 0
await Promise.all(Array.from({ length: availableParallelism() }, tryOneAfterTheOther))
progressBar(1, 'done')
const alive = [...found.values()].filter((own) => own === undefined).length
if (values.remember) remember()
const isAll = values.only === undefined && values.rule === undefined
const idle = isAll ? rulesThatCaughtNone() : []
if (idle.length > 0) say(`no mutant was caught by: ${idle.join(', ')}`)
say(
  `${String(mutants.length - alive)} of ${String(mutants.length)} mutants caught, ` +
    `each within ${String(seeds)} seeds of ${String(days)} days`,
)
if (alive > 0 || idle.length > 0) process.exitCode = 1

async function tryOneAfterTheOther(): Promise<void> {
  for (let mutant = mutants[begun]; mutant !== undefined; mutant = mutants[begun]) {
    begun += 1
    const last = known[mutant.name]
    const again = last === undefined ? undefined : await hunt(mutant, [last])
    found.set(mutant, again ?? (await hunt(mutant, FROM_THE_FIRST)))
    tell()
  }
}

function rulesThatCaughtNone(): readonly string[] {
  const caught = new Set([...found.values()].map((own) => own?.rule))
  return RULES.filter((own) => !caught.has(own))
}

/** As far as they are known, in their order. */
function tell(): void {
  for (let mutant = mutants[told]; mutant !== undefined; mutant = mutants[told]) {
    progressBar(found.size / mutants.length, mutant.name)
    if (!found.has(mutant)) return
    told += 1
    const { rule = 'LIVES', options, story } = found.get(mutant) ?? {}
    row(mutant.name, rule, options === undefined ? '-' : String(options.seed))
    if (values.story && story !== undefined) say(story)
  }
}

function remember(): void {
  const now = MUTANTS.flatMap((own) => {
    const seed = found.get(own)?.options.seed ?? known[own.name]
    return seed === undefined ? [] : [[own.name, seed] as const]
  })
  writeFileSync(SEEDS, `${JSON.stringify(Object.fromEntries(now), undefined, 2)}\n`)
}

/** Whoever breaks a gang, or forgets hardware, is not to be caught in worlds that have none. */
function isWorldFor({ breaks }: Mutant, options: SimOptions): boolean {
  const isThere = NEEDS[breaks]
  if (isThere === undefined) return true
  return planHerd(options).script.some((own) => own.kind === 'apply' && isThere(own.document))
}

/** A world that catches it, of those with these seeds. */
async function hunt(mutant: Mutant, among: readonly number[]): Promise<Summary | undefined> {
  const caught: Summary[] = []
  const worlds = among
    .map((seed): SimOptions => ({
      ...{ ...DEFAULTS, profile: mutant.profile ?? DEFAULTS.profile, days },
      seed,
    }))
    .filter((own) => isWorldFor(mutant, own))
  await runPool<SimOptions, Told>({
    jobs: worlds,
    module: new URL('worker.ts', import.meta.url),
    data: mutant,
    isEnough: () => caught.length > 0,
    onAnswer: (answer) => {
      if ('broken' in answer) throw new Error(`${mutant.name}: ${answer.broken.text}`)
      const { rule } = answer.summary
      if (rule !== undefined && (values.rule ?? rule) === rule) caught.push(answer.summary)
    },
  })
  return caught[0]
}
