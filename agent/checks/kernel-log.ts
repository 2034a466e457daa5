/**
 * The `kernel` check: what the kernel's log says of hardware and disks that give up.
 *
 * Each pattern is a line that a kernel prints for something that does not mend itself, or that does
 * and is worth knowing. What programs do to themselves (out of memory, a crash) is not looked for.
 *
 * Sources: the messages in Linux' drivers/edac, mm, fs and nvme; node-problem-detector's
 * configuration for which of them are permanent.
 */
import type { Problem } from '#shared/model/health.ts'
import { worst, type VerdictName } from '#shared/model/verdict.ts'
import { found, type Finding } from './finding.ts'

type Pattern = {
  readonly what: string
  readonly line: RegExp
  readonly verdict: VerdictName
  /** What it is to whoever watches a machine in service. */
  readonly problem: Problem
}

/**
 * Where a message begins: behind its time, if that is told. Further on it may hold the name of a
 * process, which anybody may choose.
 */
const begins = (...messages: readonly string[]): RegExp =>
  new RegExp(`^(?:<\\d+>)?(?:\\[[^\\]]*\\] ?)*(?:${messages.join('|')})`)

const HARDWARE_ERROR = String.raw`(?:mce: |\{\d+\})?\[Hardware Error\]: event severity: `
/** Disks that are none of this machine's own. */
const DISK = String.raw`(?!loop|fd|sr)\w+`

const PATTERNS: readonly Pattern[] = [
  {
    what: 'an uncorrected memory error',
    line: begins(String.raw`EDAC MC\d+: \d+ UE\b`, `${HARDWARE_ERROR}(?:recoverable|fatal)`),
    verdict: 'FAIL',
    problem: 'MemoryError',
  },
  {
    what: 'corrected memory errors',
    line: begins(String.raw`EDAC MC\d+: \d+ CE\b`, `${HARDWARE_ERROR}corrected`),
    verdict: 'WARN',
    problem: 'MemoryCorrected',
  },
  {
    what: 'a broken page of memory',
    line: begins('Memory failure: 0x[0-9a-f]+:'),
    verdict: 'FAIL',
    problem: 'MemoryError',
  },
  {
    what: 'a disk that gave up',
    line: begins(
      String.raw`nvme \S+: Disabling device after reset failure`,
      String.raw`block \S+: no available path - failing I/O`,
    ),
    verdict: 'FAIL',
    problem: 'DiskError',
  },
  {
    what: 'a disk that had to be reset',
    line: begins(String.raw`nvme \S+: I/O .*timeout, reset controller`),
    verdict: 'WARN',
    problem: 'DiskReset',
  },
  {
    what: 'an I/O error',
    line: begins(
      String.raw`(?:blk_update_request: )?I/O error, dev ${DISK}, sector \d+`,
      `Buffer I/O error on dev(?:ice)? ${DISK}`,
    ),
    verdict: 'FAIL',
    problem: 'DiskError',
  },
  {
    what: 'a file system that gave up',
    line: begins(
      String.raw`EXT4-fs \(\S+\): Remounting filesystem read-only`,
      String.raw`XFS \(\S+\): .*[Ss]hutting down filesystem`,
      String.raw`EXT4-fs error \(device`,
    ),
    verdict: 'FAIL',
    problem: 'DiskError',
  },
  {
    what: 'a processor that hung',
    line: begins(String.raw`(?:watchdog: )?(?:BUG: )?soft lockup - CPU#\d+ stuck for`),
    verdict: 'FAIL',
    problem: 'ProcessorHung',
  },
  {
    what: 'a fault of the kernel',
    line: begins('BUG: (?:unable to handle|kernel NULL pointer)', 'Kernel panic'),
    verdict: 'FAIL',
    problem: 'KernelFault',
  },
]

export type KernelFault = Omit<Pattern, 'line'> & { readonly first: string }

/** Each sort of fault that the log tells of, with the first line of it. */
export function kernelFaultsOf(log: readonly string[]): readonly KernelFault[] {
  return PATTERNS.flatMap(({ line, ...fault }) => {
    const first = log.find((own) => line.test(own))
    return first === undefined ? [] : [{ ...fault, first: first.trim() }]
  })
}

export function judgeKernelLog(log: readonly string[]): Finding {
  const seen = kernelFaultsOf(log)
  const measures = { kernelFaults: seen.length }
  const verdict = worst(['PASS', ...seen.map((own) => own.verdict)])
  const first = seen.find((own) => own.verdict === verdict)
  if (first === undefined) return found('PASS', '', measures)
  // The log lasts as long as the boot: until the next one every look ends like this one.
  const needs = verdict === 'FAIL' ? { needs: 'reboot' as const } : {}
  return { ...found(verdict, toldOf(first), measures), ...needs }
}

export const toldOf = ({ what, first }: KernelFault): string =>
  `the kernel tells of ${what}: ${first}`
