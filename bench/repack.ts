/**
 * `npm run bench:repack`: how far from the bound a herd is kept whose work comes and goes.
 *
 *   npm run bench:repack                       five seeds as the product is, and with repack off
 *   npm run bench:repack -- --curve            one seed, by how many nodes may move at once
 *   npm run bench:repack -- --repack cheaper   or never: one of the two
 *   npm run bench:repack -- --replicas 500 --days 2 --seeds 1   smaller, or shorter
 *   npm run -s bench:repack -- --json > FILE   the rows as JSON
 *
 * 2,000 replicas for ten virtual days, with lives of a median of six hours; storms take 30 % of the
 * spot machines after two, five and eight days. `--shapes F` is a CSV of what replicas ask for
 * (columns as in `openb-pods.csv`, which lies in `--data DIR`); without one a synthetic set serves.
 * The bound is found every six hours, and each hour after a storm, which are told apart; what is
 * billed in the hour that follows is held against it. Moves are those that repack orders, for each
 * replica and day. How it goes on the way is told on stderr.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runPool } from './measure/pool.ts'
import { readReplicas, type Replica } from './packing/data.ts'
import { syntheticReplicas } from './packing/synthetic.ts'
import { HEAD, lineOf } from './repack/report.ts'
import type { Job, Row } from './repack/run.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: join('..', 'shared', 'data') },
    shapes: { type: 'string' },
    replicas: { type: 'string', default: '2000' },
    days: { type: 'string', default: '10' },
    seeds: { type: 'string', default: '5' },
    repack: { type: 'string' },
    curve: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

/** Nodes of the pool that may be on the move at once; the product's own is 10 %. */
const BUDGETS = ['1%', '2%', '5%', '10%', '25%', '100%']

const say = (line: string): void => void process.stdout.write(`${line}\n`)

function numberOf(name: 'replicas' | 'days' | 'seeds'): number {
  const value = Number(values[name])
  if (value > 0) return value
  process.stderr.write(`--${name} must be a number above 0, not ${values[name]}\n`)
  process.exit(2)
}

function readShapes(): readonly Replica[] {
  const file = values.shapes ?? join(values.data, 'openb-pods.csv')
  if (values.shapes !== undefined || existsSync(file)) return readReplicas(file, { shares: false })
  process.stderr.write(`${file} is not there: synthetic replicas take its place\n`)
  return syntheticReplicas()
}

function jobsOf(): readonly Job[] {
  const [replicas, days] = [numberOf('replicas'), numberOf('days')]
  const base = { seed: 1, replicas, days, repack: 'cheaper', budget: undefined } as const
  if (values.curve) {
    return [...BUDGETS.map((budget) => ({ ...base, budget })), { ...base, repack: 'never' }]
  }
  const seeds = Array.from({ length: numberOf('seeds') }, (_, i) => i + 1)
  return waysOf().flatMap((repack) => seeds.map((seed) => ({ ...base, seed, repack })))
}

const WAYS = ['cheaper', 'never'] as const

function waysOf(): readonly Job['repack'][] {
  const asked = WAYS.filter((own) => values.repack === undefined || values.repack === own)
  if (asked.length > 0) return asked
  process.stderr.write(`--repack is ${WAYS.join(' or ')}\n`)
  process.exit(2)
}

type Answer = { readonly row: Row } | { readonly broken: { readonly job: Job; text: string } }

async function run(): Promise<void> {
  const rows: Row[] = []
  const jobs = jobsOf()
  if (!values.json) say(HEAD)
  await runPool<Job, Answer>({
    jobs,
    module: new URL('./repack/worker.ts', import.meta.url),
    data: readShapes(),
    onAnswer: (answer) => {
      if ('row' in answer) {
        rows.push(answer.row)
        if (!values.json) say(lineOf(answer.row))
        return
      }
      process.exitCode = 1
      process.stderr.write(`seed ${String(answer.broken.job.seed)}: ${answer.broken.text}\n`)
    },
  })
  if (values.json) say(JSON.stringify({ rows }))
  else for (const repack of WAYS) tellWorst(rows, repack)
}

function tellWorst(rows: readonly Row[], repack: Job['repack']): void {
  const own = rows.filter((row) => row.repack === repack)
  if (own.length < 2 || values.curve) return
  const gap = Math.max(...own.map((row) => (row.meanGap ?? 0) * 100)).toFixed(2)
  const moves = Math.max(...own.map((row) => row.movesPerReplicaDay)).toFixed(2)
  say(`repack ${repack}, the worst of ${String(own.length)} seeds: gap ${gap} %, ${moves} moves`)
}

await run()
