/**
 * Processor time of the whole process, every thread of it: what the work would take on one core
 * that nobody else uses, however busy this machine is.
 */
export function cpuMsNow(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
