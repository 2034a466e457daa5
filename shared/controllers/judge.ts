/**
 * Judges a burn-in: what the agent measured, against what the assignment asked for.
 *
 * It fails closed. Only a finished run of the very attempt and suite that the assignment names is
 * judged, a check that was asked for and not reported is UNKNOWN, and a check that was reported but
 * not asked for counts as well: bad news is never dropped. The suite is as bad as its worst check.
 */
import { groupBy } from '../base/order.ts'
import type { Assignment } from '../model/assignment.ts'
import type { Report } from '../model/report.ts'
import {
  VERDICT_ORDER,
  type CheckResult,
  type Verdict,
  type VerdictName,
} from '../model/verdict.ts'

export type Judgement =
  | { readonly judged: true; readonly verdict: Verdict }
  | { readonly judged: false; readonly reason: string }

/** The verdict on the report's burn-in, or why there is none to give. */
export function judge(facts: {
  arn: string
  report: Report
  assignment: Assignment
  nowMs: number
}): Judgement {
  const { arn, report, assignment, nowMs } = facts
  const { burnIn: run, bootId } = report
  const { burnIn: asked, node } = assignment
  if (asked === undefined) return no('the assignment asks for no burn-in')
  if (run === undefined) return no('the report tells of no burn-in')
  if (run.attempt !== asked.attempt) {
    return no(`attempt ${String(run.attempt)} is not attempt ${String(asked.attempt)}`)
  }
  if (run.suite !== asked.suite) return no(`suite ${run.suite} is not suite ${asked.suite}`)
  if (run.state !== 'finished') return no('the burn-in is still running')
  const { attempt, suite } = asked
  const checks = settle(asked.checks, run.checks)
  const verdict = worst(checks.map((check) => check.verdict))
  return {
    judged: true,
    verdict: { kind: 'verdict', node, arn, bootId, attempt, suite, verdict, checks, atMs: nowMs },
  }
}

/** The worst of the verdicts; UNKNOWN of none at all, for nothing was proven. */
export function worst(verdicts: readonly VerdictName[]): VerdictName {
  const ranks = verdicts.map((verdict) => VERDICT_ORDER.indexOf(verdict))
  return VERDICT_ORDER[Math.max(-1, ...ranks)] ?? 'UNKNOWN'
}

/** One result a check, the worst where several were sent, and one for each that is missing. */
function settle(asked: readonly string[], sent: readonly CheckResult[]): CheckResult[] {
  const byName = groupBy(sent, ({ name }) => name)
  const missing = asked.filter((name) => !byName.has(name))
  const found = [...byName.values()].map((results) => {
    const verdict = worst(results.map((result) => result.verdict))
    return results.find((result) => result.verdict === verdict)
  })
  return [
    ...found.filter((result) => result !== undefined),
    ...missing.map((name) => ({
      name,
      verdict: 'UNKNOWN' as const,
      measures: {},
      text: 'the agent did not report this check',
    })),
  ]
}

function no(reason: string): Judgement {
  return { judged: false, reason }
}
