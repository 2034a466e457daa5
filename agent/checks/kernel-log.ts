/**
 * The `kernel` check: what the kernel's log says of hardware and disks that give up.
 *
 * Each pattern is a line that a kernel prints for something that does not mend itself, or that does
 * and is worth knowing. What programs do to themselves (out of memory, a crash) is not looked for.
 *
 * Sources: the messages in Linux' drivers/edac, mm, fs and nvme; node-problem-detector's
 * configuration for which of them are permanent.
 */
import { worst, type VerdictName } from '#shared/model/verdict.ts'
import { found, type Finding } from './finding.ts'

type Pattern = { readonly what: string; readonly line: RegExp; readonly verdict: VerdictName }

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
  },
  {
    what: 'corrected memory errors',
    line: begins(String.raw`EDAC MC\d+: \d+ CE\b`, `${HARDWARE_ERROR}corrected`),
    verdict: 'WARN',
  },
  {
    what: 'a broken page of memory',
    line: begins('Memory failure: 0x[0-9a-f]+:'),
    verdict: 'FAIL',
  },
  {
    what: 'a disk that gave up',
    line: begins(
      String.raw`nvme \S+: Disabling device after reset failure`,
      String.raw`block \S+: no available path - failing I/O`,
    ),
    verdict: 'FAIL',
  },
  {
    what: 'a disk that had to be reset',
    line: begins(String.raw`nvme \S+: I/O .*timeout, reset controller`),
    verdict: 'WARN',
  },
  {
    what: 'an I/O error',
    line: begins(
      String.raw`(?:blk_update_request: )?I/O error, dev ${DISK}, sector \d+`,
      `Buffer I/O error on dev(?:ice)? ${DISK}`,
    ),
    verdict: 'FAIL',
  },
  {
    what: 'a file system that gave up',
    line: begins(
      String.raw`EXT4-fs \(\S+\): Remounting filesystem read-only`,
      String.raw`XFS \(\S+\): .*[Ss]hutting down filesystem`,
      String.raw`EXT4-fs error \(device`,
    ),
    verdict: 'FAIL',
  },
  {
    what: 'a processor that hung',
    line: begins(String.raw`(?:watchdog: )?(?:BUG: )?soft lockup - CPU#\d+ stuck for`),
    verdict: 'FAIL',
  },
  {
    what: 'a fault of the kernel',
    line: begins('BUG: (?:unable to handle|kernel NULL pointer)', 'Kernel panic'),
    verdict: 'FAIL',
  },
]

export function judgeKernelLog(log: readonly string[]): Finding {
  const seen = PATTERNS.flatMap(({ what, line, verdict }) => {
    const lines = log.filter((own) => line.test(own))
    return lines.length === 0 ? [] : [{ what, verdict, first: lines[0] ?? '' }]
  })
  const measures = { kernelFaults: seen.length }
  const verdict = worst(['PASS', ...seen.map((own) => own.verdict)])
  const first = seen.find((own) => own.verdict === verdict)
  if (first === undefined) return found('PASS', '', measures)
  return found(verdict, `the kernel tells of ${first.what}: ${first.first.trim()}`, measures)
}
