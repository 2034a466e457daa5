/**
 * `npm run test:days`: a thousand random days of teams whose need comes and goes, and what the
 * planner makes of them; exit 1 where something is lent, taken and lent again in a circle, or
 * somebody entitled waits too long.
 *
 * `--days 1000`, `--from 1`.
 */
import { parseArgs } from 'node:util'
import { misuse, progressBar, say } from '#test/simulation/terminal.ts'
import { DAY_MS, dayOf } from './day.ts'
import { inTimeMs, mostReclaims, watchDay, type DayFound } from './watch.ts'

const { values } = parseArgs({
  options: {
    days: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
  },
})

const [count, from] = [Number(values.days), Number(values.from)]
if (!(count >= 1 && from >= 0)) misuse('--days and --from must be numbers')

const startMs = performance.now()
const found = Array.from({ length: count }, (_, i): DayFound => {
  progressBar(i / count, `${String(i)} of ${String(count)} days`)
  const day = watchDay(dayOf(from + i))
  day.faults.forEach(say)
  return day
})
const sum = (of: (own: DayFound) => number): number => found.reduce((all, own) => all + of(own), 0)
const most = (of: (own: DayFound) => number): number => Math.max(...found.map(of))
const faults = sum((own) => own.faults.length)
const rows: readonly (readonly [string, string])[] = [
  ['days', String(count)],
  ['passes', String(sum((own) => own.passes))],
  ['replicas bound', String(sum((own) => own.binds))],
  ['replicas reclaimed', String(sum((own) => own.reclaims))],
  ['of one replica in a day, most', String(most((own) => own.mostReclaims))],
  ['  which its cool-down bounds by', String(mostReclaims(DAY_MS))],
  ['seconds the entitled waited, most', String(most((own) => own.longestWaitMs) / 1_000)],
  ['  which delays bound by', String(inTimeMs({ isElastic: true }) / 1_000)],
  ['wall-clock seconds', ((performance.now() - startMs) / 1_000).toFixed(0)],
]
for (const [what, value] of rows) say(`${what.padEnd(34)}  ${value.padStart(8)}`)
say(`\n${String(count)} days: ${String(faults)} faults`)
if (faults > 0) process.exitCode = 1
