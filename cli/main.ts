#!/usr/bin/env node
/**
 * The `drover` command: binds the real world and runs one command line in it.
 */
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import packageFacts from '../package.json' with { type: 'json' }
import { makeSignalPatience } from '#shared/base/signal-patience.ts'
import { makeContext } from './context.ts'
import { EXIT } from './errors.ts'
import { runProgram } from './program.ts'
import { COMMANDS } from './registry.ts'
import type { Terminal } from './world.ts'

const TERMINAL_COLUMNS = 100

function terminal(stream: NodeJS.WriteStream): Terminal {
  // `drover get nodes | head -1` closes the pipe early; that is no failure.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    write: (chunk) => void stream.write(chunk),
    isTty: Boolean(stream.isTTY),
    columns: stream.columns ?? TERMINAL_COLUMNS,
  }
}

const interruption = new AbortController()
const patience = makeSignalPatience(() => performance.now())
process.on('SIGINT', () => {
  interruption.abort()
  if (patience.isOver()) process.exit(EXIT.interrupted)
})

process.exitCode = await runProgram(
  process.argv.slice(2),
  {
    env: process.env,
    out: terminal(process.stdout),
    err: terminal(process.stderr),
    clock: {
      now: () => Date.now(),
      sleep: async (ms) => {
        await delay(ms, undefined, { signal: interruption.signal }).catch(() => undefined)
      },
    },
    fetch,
    readInput: () => text(process.stdin),
    interrupted: interruption.signal,
  },
  { commands: COMMANDS, version: packageFacts.version, makeContext },
)
