/**
 * The `command` check: a program of the user's own, judged by how it ended and what it said.
 *
 * It ends with 0 where the machine is good and with 1 where it is bad; 2 says that it could not
 * tell, as plugins of Kubernetes' node-problem-detector do, and every other end says that it could
 * not run. Whoever measures prints a JSON object as the last line, with `measures`, `limits` for
 * them, a `text` and a `verdict` of its own; of verdict, limits and exit code the worst counts.
 */
import { z } from 'zod'
import { describeError } from '#shared/base/errors.ts'
import { measureLimitSchema, measureNameSchema } from '#shared/model/burn-in.ts'
import { breachesOf } from '#shared/model/measures.ts'
import { amountSchema } from '#shared/model/quantities.ts'
import { verdictNameSchema, worst, type VerdictName } from '#shared/model/verdict.ts'
import { found, type Finding } from './finding.ts'

/** How a program ended. */
export type Ended = {
  /** Absent where a signal ended it. */
  readonly code?: number
  readonly signal?: string
  /** It was ended because its time was up. */
  readonly isLate: boolean
  readonly stdout: string
  readonly stderr: string
}

const saidSchema = z.object({
  verdict: verdictNameSchema.optional(),
  measures: z.record(measureNameSchema, amountSchema).default({}),
  limits: z.record(measureNameSchema, measureLimitSchema).default({}),
  text: z.string().optional(),
})

/** What the end of the program says of the machine. */
export function judgeCommand(ended: Ended): Finding {
  const { stdout, stderr, isLate } = ended
  if (isLate) return found('UNKNOWN', `it had not ended when its time was up; ${lastLine(stderr)}`)
  const line = lastLine(stdout)
  const end = verdictOfEnd(ended)
  if (!line.startsWith('{')) return found(end, end === 'PASS' ? '' : howItEnded(ended))
  try {
    const { verdict, measures, limits, text } = saidSchema.parse(JSON.parse(line))
    const breaches = breachesOf(measures, limits)
    const all = worst([end, verdict ?? end, ...breaches.map((own) => own.verdict)])
    const breach = breaches.find((own) => own.verdict === all)
    const plain = all === 'PASS' ? '' : howItEnded(ended)
    return found(all, text ?? breach?.text ?? plain, measures)
  } catch (error) {
    const text = `its last line is no result: ${describeError(error)}`
    return found(worst([end, 'UNKNOWN']), text)
  }
}

const VERDICT_BY_CODE: Readonly<Record<number, VerdictName>> = {
  0: 'PASS',
  1: 'FAIL',
  2: 'UNKNOWN',
}

function verdictOfEnd({ code }: Ended): VerdictName {
  return code === undefined ? 'INFRA' : (VERDICT_BY_CODE[code] ?? 'INFRA')
}

function howItEnded({ code, signal, stdout, stderr }: Ended): string {
  const how = code === undefined ? `by ${signal ?? 'a signal'}` : `with ${String(code)}`
  const said = lastLine(stderr) || lastLine(stdout)
  return said === '' ? `it ended ${how}` : `it ended ${how}: ${said}`
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? ''
}
