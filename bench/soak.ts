/**
 * `npm run soak`: a herd of real agents under bad weather for as long as one likes.
 *
 * The real local drover runs in a directory of its own, with so many emulated machines, each with a
 * real agent. Machines are interrupted, killed, frozen and called impaired, markets dry up, people
 * scale, roll and cordon; at the end all that was wished for must be there, nothing must have
 * leaked and nothing be left. It prints its seed first, and exits 1 when a check fails.
 */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeError } from '#shared/base/errors.ts'
import { runSoak, type SoakOptions, type SoakResult } from './soak/run.ts'

const USAGE = `usage: npm run soak -- [options]

  --minutes N   how long levers are pulled (default 10)
  --agents N    how many machines, each with an agent (default 40)
  --seed S      draws the levers and whom they hit (default: any)
  --every N     seconds from one lever to the next (default 4)
  --trace       tells each lever
  --json        prints the result for machines
`
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const note = (line: string): void => void process.stderr.write(`${line}\n`)

type Options = Omit<SoakOptions, 'stateDirectory' | 'tell' | 'trace'> & {
  readonly traced: boolean
  readonly json: boolean
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      agents: { type: 'string', default: '40' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      every: { type: 'string', default: '4' },
      trace: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    minutes: numberOf('--minutes', values.minutes, { min: 0.1, max: 600 }),
    agents: numberOf('--agents', values.agents, { min: 4, max: 400 }),
    seed: numberOf('--seed', values.seed, { min: 0, max: 2 ** 32 - 1 }),
    everySeconds: numberOf('--every', values.every, { min: 0.5, max: 600 }),
    traced: values.trace,
    json: values.json,
  }
}

type Range = { readonly min: number; readonly max: number }

function numberOf(name: string, text: string, { min, max }: Range): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= min && value <= max) return value
  throw new Error(`${name} must be from ${String(min)} to ${String(max)}, not "${text}"`)
}

function tellResult({ ok, checks, levers, answers, upSeconds, wholeSeconds }: SoakResult): void {
  say('')
  for (const check of checks) say(`${check.ok ? 'ok    ' : 'FAILED'}  ${check.name}: ${check.text}`)
  say('')
  const pulled = Object.entries(levers).map(([name, own]) => {
    const missed = own.missed === 0 ? '' : ` (${String(own.missed)} missed)`
    return `${name} ${String(own.pulled)}${missed}`
  })
  say(`levers: ${pulled.toSorted().join(', ')}`)
  const counts = Object.entries(answers).map(([status, count]) => `${status} ${String(count)}`)
  say(`answers: ${counts.join(', ')}`)
  say(`up in ${String(upSeconds)} s, whole ${String(wholeSeconds)} s after the last lever`)
  say(ok ? 'every check held' : `${String(checks.filter((own) => !own.ok).length)} checks failed`)
}

/** What drover itself complained of, counted: the first thing to look at after a failure. */
function complaintsIn(stateDirectory: string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const line of readFileSync(join(stateDirectory, 'drover.log'), 'utf8').split('\n')) {
    const found = /"level":"(warn|error)","text":"([^"]*)"/.exec(line)
    if (found === null) continue
    const key = `${found[1] ?? ''}: ${found[2] ?? ''}`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

async function main({ traced, json, ...options }: Options): Promise<void> {
  const { seed, minutes, agents, everySeconds } = options
  const tell = json ? note : say
  tell(
    `seed ${String(seed)}, ${String(minutes)} minutes, ${String(agents)} agents, ` +
      `a lever every ${String(everySeconds)} s`,
  )
  const stateDirectory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-soak-')))
  const trace = traced ? tell : (): void => undefined
  let ok = false
  try {
    const result = await runSoak({ ...options, stateDirectory, tell, trace })
    const complaints = complaintsIn(stateDirectory)
    ok = result.ok
    if (json) say(JSON.stringify({ ...options, ...result, complaints }))
    else tellResult(result)
    for (const [text, count] of Object.entries(complaints)) tell(`${String(count)} × ${text}`)
  } catch (error) {
    tell(`the soak broke off: ${describeError(error)}`)
    if (json) say(JSON.stringify({ ...options, ok, error: describeError(error) }))
  }
  if (ok) rmSync(stateDirectory, { recursive: true, force: true })
  else tell(`state and logs are in ${stateDirectory}`)
  process.exitCode = ok ? 0 : 1
}

function prepare(): Options {
  try {
    const options = readOptions()
    if (options !== undefined) return options
    say(USAGE)
    process.exit(0)
  } catch (error) {
    note(`error: ${describeError(error)}\n${USAGE}`)
    process.exit(2)
  }
}

await main(prepare())
