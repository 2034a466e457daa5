/**
 * `npm run bench:admissions`: machines through their burn-in, wave after wave, a tenth of their
 * GPUs bad for life, in local mode: emulated hardware, and all the rest as it is on EC2.
 *
 * Each wave has a pool of its own and a replica for every machine. Which devices are bad is asked
 * of the emulator and which machines carried something of drover's events, so neither takes the
 * other's word. No bad machine may ever have carried a replica, and every good one must have.
 *
 * `--admissions 200 --wave 20 --rate 0.1 --json`. Exit 1 where that does not hold.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startChild } from '#local/demo/child.ts'
import { makeHerd } from '#local/demo/herd.ts'
import { costOf, type Cost } from './admissions/cost.ts'
import { runWave, type Machine } from './admissions/wave.ts'

const { values } = parseArgs({
  options: {
    admissions: { type: 'string', default: '200' },
    wave: { type: 'string', default: '20' },
    rate: { type: 'string', default: '0.1' },
    json: { type: 'boolean', default: false },
  },
})
const [admissions, size, rate] = [values.admissions, values.wave, values.rate].map(Number)
const note = (line: string): void => void process.stderr.write(`${line}\n`)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-admissions-')))
const child = await startChild({ stateDirectory: directory })
const machines: Machine[] = []
try {
  const herd = makeHerd(child.url)
  await herd.send('POST', '/local/faults', { hardware: { check: 'gpu', rate } })
  for (let n = 1; machines.length < Number(admissions); n += 1) {
    machines.push(...(await runWave(herd, { n, size: Number(size), rate: Number(rate) })))
    note(`wave ${String(n)}: ${String(machines.length)} of ${String(admissions)} admissions`)
  }
} finally {
  await child.end('SIGTERM')
  rmSync(directory, { recursive: true, force: true })
}

const good = machines.filter((own) => !own.isBad)
const bad = machines.filter((own) => own.isBad)
const row = {
  machines: machines.length,
  ...{ bad: bad.length, badThatCarried: bad.filter((own) => own.carried).length },
  badRefusedUntested: bad.filter((own) => own.isRefused).length,
  ...{ good: good.length, goodThatCarried: good.filter((own) => own.carried).length },
  ...costOf(machines),
}
if (values.json) say(JSON.stringify({ rows: [row] }))
else tell(row)
const holds = row.badThatCarried === 0 && row.goodThatCarried === good.length
if (!holds) process.exitCode = 1

function tell(own: typeof row & Cost): void {
  say(`${String(own.machines)} machines, ${String(own.bad)} of them with a bad GPU`)
  say(`bad ones that carried a replica: ${String(own.badThatCarried)}`)
  say(`bad ones that were known and refused untested: ${String(own.badRefusedUntested)}`)
  say(`good ones that carried one: ${String(own.goodThatCarried)} of ${String(own.good)}`)
  const usd = (sum: number): string => `$${sum.toFixed(4)}`
  const seconds = (mean: number): string => `${mean.toFixed(1)} s each`
  say(`bad machines were paid for ${seconds(own.badSeconds)}: ${usd(own.badUsd)}`)
  say(`good ones were in their burn-in for ${seconds(own.testSeconds)}: ${usd(own.testUsd)}`)
  say(`both together are ${(own.extraShare * 100).toFixed(2)} % of an hour of the good ones`)
}
