/**
 * The machine's own clock. Everything else in drover is told the time; this is who tells it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'

export function makeSystemClock(): Clock {
  return {
    now: () => Date.now(),
    sleep: async (ms) => {
      await sleep(ms)
    },
  }
}
