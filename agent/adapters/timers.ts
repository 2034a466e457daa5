/**
 * Real time, for a real agent: the wall clock, as EC2 tells deadlines in it, and Node's timers.
 */
import type { Timers } from '../ports.ts'

export const realTimers: Timers = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => {
      clearTimeout(timer)
    }
  },
}
