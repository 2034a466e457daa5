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

const PATTERNS: readonly Pattern[] = [
  {
    what: 'an uncorrected memory error',
    line: /\bEDAC MC\d+: \d+ UE\b|\[Hardware Error\]: event severity: (?:recoverable|fatal)/,
    verdict: 'FAIL',
  },
  {
    what: 'corrected memory errors',
    line: /\bEDAC MC\d+: \d+ CE\b|\[Hardware Error\]: event severity: corrected/,
    verdict: 'WARN',
  },
  { what: 'a broken page of memory', line: /\bMemory failure: 0x[0-9a-f]+:/, verdict: 'FAIL' },
  {
    what: 'a disk that gave up',
    line: /\bnvme\S*: Disabling device after reset failure|no available path - failing I\/O/,
    verdict: 'FAIL',
  },
  {
    what: 'a disk that had to be reset',
    line: /\bnvme\S*: I\/O .*timeout, reset controller/,
    verdict: 'WARN',
  },
  {
    what: 'an I/O error',
    line: /\bI\/O error, dev (?!loop|fd|sr)\w+, sector \d+|\bBuffer I\/O error on dev/,
    verdict: 'FAIL',
  },
  {
    what: 'a file system that gave up',
    line: /Remounting filesystem read-only|\bXFS .*[Ss]hutting down filesystem|\bEXT4-fs error/,
    verdict: 'FAIL',
  },
  { what: 'a processor that hung', line: /\bsoft lockup - CPU#\d+ stuck for/, verdict: 'FAIL' },
  {
    what: 'a fault of the kernel',
    line: /\bBUG: (?:unable to handle|kernel NULL pointer)|\bKernel panic\b/,
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
