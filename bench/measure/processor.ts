/**
 * Processor time: what work would take on one core that nobody else uses, however busy this machine
 * is.
 */
import { readFileSync } from 'node:fs'

/** Of the whole process, every thread of it. */
export function cpuMsNow(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** The same of this thread alone, for work that shares the process with other such work. */
export function threadCpuMsNow(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/**
 * Processor time of the processes that this one has started and that have ended, to ten
 * milliseconds; 0 where `/proc` does not tell.
 */
export function childrenCpuMsNow(): number {
  if (process.platform !== 'linux') return 0
  // Behind the name in brackets, which may hold anything: fields 16 and 17 of proc(5).
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS
}

/** Linux counts for its users in hundredths of a second, whatever it counts in itself. */
const TICK_MS = 10
