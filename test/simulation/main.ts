/**
 * `npm run sim`: one world, or many, and what came of them.
 *
 *   npm run sim -- --seed 123 [--days 2] [--trace]      one world; --trace prints all of it
 *   npm run sim -- --seed 123 --shrink                  the smallest world that still shows it
 *   npm run sim -- --seeds 1000 [--from 1] [--days 2]   many, on all cores
 *   npm run sim -- --case FILE                          a world told as text
 *
 * `--faults calm|default|heavy`, `--herd small|fifty`, `--json`. Exit 1 on a violation.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { makeAuditor } from './auditor/auditor.ts'
import { parseCase, printCase } from './case.ts'
import {
  DEFAULTS,
  describeOptions,
  PROFILES,
  type HerdName,
  type ProfileName,
  type SimOptions,
} from './options.ts'
import { clockOf, describeViolation, runWorld, type Outcome, type RunSetup } from './run.ts'
import { runPool } from '#bench/measure/pool.ts'
import { planHerd } from './script.ts'
import { shrink } from './shrink.ts'
import { tableOf, type Worlds } from './tables.ts'
import { misuse, progressBar, say } from './terminal.ts'
import type { Summary, Told } from './worker.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    days: { type: 'string', default: String(DEFAULTS.days) },
    faults: { type: 'string', default: DEFAULTS.profile },
    herd: { type: 'string', default: DEFAULTS.herd },
    trace: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
    case: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

function numberOf(name: 'seed' | 'seeds' | 'from' | 'days'): number {
  const value = Number(values[name])
  if (!Number.isFinite(value) || value < 0)
    misuse(`--${name} must be a number, not ${String(values[name])}`)
  return value
}

function optionsFor(seed: number): SimOptions {
  const { faults, herd } = values
  if (!Object.hasOwn(PROFILES, faults))
    misuse(`--faults is one of ${Object.keys(PROFILES).join(', ')}`)
  if (herd !== 'small' && herd !== 'fifty') misuse('--herd is small or fifty')
  const days = numberOf('days')
  return { seed, days, profile: faults as ProfileName, herd: herd satisfies HerdName }
}

function tellOutcome(outcome: Outcome, tookMs: number): void {
  if (outcome.violation !== undefined) {
    say(describeViolation(outcome))
    const { seed, days, profile } = outcome.options
    const flags = `--seed ${String(seed)} --days ${String(days)} --faults ${profile}`
    say(`the smallest world that shows it: npm run sim -- ${flags} --shrink`)
    process.exitCode = 1
    return
  }
  const { virtualHours, passes, launched, steps, struck, convergedAfterMs = 0 } = outcome
  const rate = (virtualHours / tookMs) * 60_000
  say(
    `no violation; whole ${clockOf(convergedAfterMs)} after the faults ended; ` +
      `${virtualHours.toFixed(1)} virtual hours, ${String(passes)} passes, ` +
      `${String(launched)} machines, ${String(struck.length)} faults in calls, ` +
      `${String(steps)} steps`,
  )
  say(
    `a herd of ${outcome.meanNodes.toFixed(0)} machines and ` +
      `${outcome.meanReplicas.toFixed(0)} replicas on average`,
  )
  say(`${rate.toFixed(0)} virtual hours a minute`)
}

async function runOne(setup: Omit<RunSetup, 'makeAuditor'>): Promise<void> {
  say(describeOptions(setup.options))
  const startMs = performance.now()
  const outcome = await runWorld({
    ...setup,
    makeAuditor,
    ...(values.trace ? { trace: say } : {}),
    progress: (share) => {
      if (!values.trace) progressBar(share, `seed ${String(setup.options.seed)}`)
    },
  })
  tellOutcome(outcome, performance.now() - startMs)
}

async function runShrink(options: SimOptions): Promise<void> {
  say(describeOptions(options))
  const found = await shrink({
    ...{ options, makeAuditor },
    tell: (text) => {
      process.stderr.write(`${text}\n`)
    },
  })
  if (found === undefined) {
    say('no violation: there is nothing to shrink')
    return
  }
  say(printCase(found.world))
  say(describeViolation(found.outcome))
  process.exitCode = 1
}

async function runSeeds(): Promise<void> {
  const [count, from] = [numberOf('seeds'), numberOf('from')]
  const worlds = Array.from({ length: count }, (_, i) => optionsFor(from + i))
  const first = worlds[0]
  if (first === undefined) misuse('--seeds must be 1 or more')
  if (!values.json)
    say(`seeds ${String(from)} to ${String(from + count - 1)}; each: ${describeOptions(first)}`)
  const startMs = performance.now()
  const found: Summary[] = []
  const broken: string[] = []
  await runPool<SimOptions, Told>({
    jobs: worlds,
    module: new URL('worker.ts', import.meta.url),
    onAnswer: (told, done) => {
      if ('summary' in told) {
        found.push(told.summary)
        if (told.summary.story !== undefined) say(`\n${told.summary.story}\n`)
      } else {
        broken.push(`seed ${String(told.broken.options.seed)}: ${told.broken.text}`)
        say(`\nthe simulator itself broke at ${broken.at(-1) ?? ''}\n`)
      }
      progressBar(done / count, `${String(done)} of ${String(count)} worlds`)
    },
  })
  const worldsDone: Worlds = { found, broken, tookMs: performance.now() - startMs }
  if (values.json) say(JSON.stringify(worldsDone))
  else say(tableOf(worldsDone))
  if (broken.length > 0 || found.some((own) => own.rule !== undefined)) process.exitCode = 1
}

if (values.seeds !== undefined) await runSeeds()
else if (values.case !== undefined) {
  const told = parseCase(readFileSync(values.case, 'utf8'))
  await runOne(told)
} else if (values.shrink) await runShrink(optionsFor(numberOf('seed')))
else if (values.seed === undefined) misuse('say --seed S, --seeds N or --case FILE')
else {
  const options = optionsFor(numberOf('seed'))
  await runOne({ options, plan: planHerd(options) })
}
