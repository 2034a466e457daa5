/**
 * `npm run sim:crashes`: a crash at every call of a port that a controller makes, one after the
 * other, each in a world of its own. It counts the call sites in the code itself and fails when one
 * of them was never crashed at. `--every N` tries every Nth crash, and at least one at each site.
 */
import { parseArgs } from 'node:util'
import { runPool } from '#bench/measure/pool.ts'
import { describeViolation } from '../run.ts'
import { columns } from '../tables.ts'
import { misuse, progressBar, say } from '../terminal.ts'
import { crashesAt, learnTour, type Crash, type TourCall, type Tried } from './enumerate.ts'
import { portCallSites, type Site } from './sites.ts'

const { values } = parseArgs({
  options: { every: { type: 'string', default: '1' }, call: { type: 'string' } },
})
const every = Number(values.every)
if (!Number.isInteger(every) || every < 1) misuse('--every must be a whole number from 1 on')

const { calls, outcome } = await learnTour()
if (outcome.violation !== undefined) {
  say(`the tour itself breaks a rule:\n${describeViolation(outcome)}`)
  process.exit(1)
}
const sites = portCallSites()
const crashes = chosen(calls)
say(
  `${String(calls.length)} calls at ${String(sites.length)} call sites; ` +
    `${String(crashes.length)} crashes to try`,
)
const failed: Tried[] = []
await runPool<Crash, Tried>({
  jobs: crashes,
  module: new URL('worker.ts', import.meta.url),
  onAnswer: (tried, done) => {
    progressBar(done / crashes.length, `${String(done)} of ${String(crashes.length)} crashes`)
    if (tried.story === undefined) return
    failed.push(tried)
    const { call, fate, done: beside } = tried.crash
    say(`\n${fate} at ${call}, done beside it: ${beside.join(' ') || 'nothing'}\n${tried.story}`)
  },
})
const missed = report(sites, crashes)
say(
  `${String(crashes.length)} crashes at ${String(sites.length - missed.length)} of ` +
    `${String(sites.length)} call sites: ${String(failed.length)} violations`,
)
if (failed.length > 0 || missed.length > 0) process.exitCode = 1

/** Every Nth crash, and the first at each site. */
function chosen(all: readonly TourCall[]): readonly Crash[] {
  if (values.call !== undefined) return crashesAt(all.filter(({ name }) => name === values.call))
  const seen = new Set<string>()
  const first = new Set<string>()
  for (const { name, site = '' } of all) {
    if (!seen.has(site)) first.add(name)
    seen.add(site)
  }
  return crashesAt(all).filter((crash, i) => i % every === 0 || first.has(crash.call))
}

/** How often each site was crashed at; returns those that never were. */
function report(all: readonly Site[], tried: readonly Crash[]): readonly Site[] {
  const siteOf = new Map(calls.map(({ name, site }) => [name, site]))
  const counts = new Map<string, number>()
  for (const { call } of tried) {
    const site = siteOf.get(call) ?? ''
    counts.set(site, (counts.get(site) ?? 0) + 1)
  }
  const rows = all.map(({ at, calls: what }): [string, string, string] => [
    at,
    what,
    String(counts.get(at) ?? 0),
  ])
  say(columns([['call site', 'calls', 'crashes'], ...rows]))
  return all.filter(({ at }) => !counts.has(at))
}
