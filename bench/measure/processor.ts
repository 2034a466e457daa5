/**
 * Processor time of the whole process, every thread of it: what the work would take on one core
 * that nobody else uses, however busy this machine is.
 */
export function cpuMsNow(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** The same of this thread alone, for work that shares the process with other such work. */
export function threadCpuMsNow(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
