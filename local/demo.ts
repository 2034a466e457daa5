/**
 * `npm run demo`: drover's story, told by itself in about a minute.
 *
 * It has a herd of its own, apart from `npm start`'s. It exits 0 only if every step held.
 */
import { mkdirSync, realpathSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { describeError } from '#shared/base/errors.ts'
import { STORY, type Stage } from './demo/story.ts'

const USAGE = 'usage: npm run demo -- [--state DIR] [--port N]'
const say = (line: string): void => void process.stdout.write(`${line}\n`)

function readStage(): Stage {
  const { values } = parseArgs({
    options: { state: { type: 'string' }, port: { type: 'string' }, help: { type: 'boolean' } },
  })
  if (values.help === true) {
    say(USAGE)
    process.exit(0)
  }
  const port = Number(values.port ?? '0')
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error('--port is no port')
  const directory = values.state ?? '.drover-demo'
  mkdirSync(directory, { recursive: true })
  const tell = (text: string): void => {
    say(`          ${text}`)
  }
  return { stateDirectory: realpathSync(directory), port, tell }
}

async function main(stage: Stage): Promise<boolean> {
  const startMs = performance.now()
  const seconds = (): string => ((performance.now() - startMs) / 1000).toFixed(1).padStart(6)
  try {
    for (const { title, run } of STORY) {
      say(`${seconds()} s  ${title}`)
      await run(stage)
    }
    say(`${seconds()} s  that is all: every step held`)
    return true
  } catch (error) {
    say(`${seconds()} s  this step did not hold: ${describeError(error)}`)
    say(`          the log is in ${stage.stateDirectory}/drover.log`)
    return false
  } finally {
    await stage.watch?.stop()
    await stage.child?.end('SIGTERM')
  }
}

function prepare(): Stage {
  try {
    return readStage()
  } catch (error) {
    process.stderr.write(`error: ${describeError(error)}\n${USAGE}\n`)
    process.exit(2)
  }
}

const stage = prepare()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void (stage.child?.end('SIGTERM') ?? Promise.resolve()).then(() => process.exit(1))
  })
}
process.exit((await main(stage)) ? 0 : 1)
