/**
 * Tries crashes in a thread of its own.
 */
import { parentPort } from 'node:worker_threads'
import { describeViolation } from '../run.ts'
import { tryCrash, type Crash, type Tried } from './enumerate.ts'

parentPort?.on('message', (crash: Crash) => {
  const tell = (tried: Tried): void => {
    parentPort?.postMessage(tried)
  }
  tryCrash(crash).then(
    (outcome) => {
      const story = describeViolation(outcome)
      tell(story === '' ? { crash } : { crash, story })
    },
    (error: unknown) => {
      tell({
        crash,
        story: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    },
  )
})
