/**
 * `npm run soak:kills`: forty kills at random moments, the same that the end-to-end tests try a few
 * of.
 */
import { mkdtempSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeError } from '#shared/base/errors.ts'
import { processesOf } from '#local/demo/processes-of.ts'
import { runKills } from '#test/e2e/kills.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    kills: { type: 'string', default: '40' },
    state: { type: 'string' },
  },
})
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const stateDirectory = realpathSync(values.state ?? mkdtempSync(join(tmpdir(), 'drover-soak-')))
const options = {
  stateDirectory,
  seed: Number(values.seed),
  kills: Number(values.kills),
  tell: say,
}

try {
  const seen = await runKills(options)
  const left = processesOf(stateDirectory)
  if (left.length > 0) throw new Error(`left behind: ${JSON.stringify(left)}`)
  for (const { atMs, replica, node, text } of seen.failures)
    say(`${new Date(atMs).toISOString()} ${replica} on ${node}: ${text}`)
  say(
    `all ${values.kills} survived; ${String(seen.calls)} calls to the web service, ` +
      `${String(seen.failures.length)} failed, never fewer than ${String(seen.fewestReady)} ready`,
  )
} catch (error) {
  say(`did not recover: ${describeError(error)}`)
  say(`state and logs are in ${stateDirectory}`)
  process.exitCode = 1
}
