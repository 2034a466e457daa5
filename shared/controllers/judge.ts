/**
 * Judges a burn-in: what the agent measured, against what the assignment asked for.
 *
 * It fails closed. Only a finished run of the very attempt and suite that the assignment names is
 * judged, a check that was asked for and not reported is UNKNOWN, and a check that was reported but
 * not asked for counts as well: bad news is never dropped. The suite is as bad as its worst check.
 */
import { groupBy } from '../base/order.ts'
import type { Assignment } from '../model/assignment.ts'
import { HARDWARE_RESULT, isAboutGpus, type AskedCheck } from '../model/burn-in.ts'
import { breachesOf } from '../model/measures.ts'
import type { Report } from '../model/report.ts'
import { worst, type CheckResult, type Verdict } from '../model/verdict.ts'

export type Judgement =
  | { readonly judged: true; readonly verdict: Verdict }
  | { readonly judged: false; readonly reason: string }

type Facts = {
  readonly arn: string
  readonly report: Report
  readonly assignment: Assignment
  readonly nowMs: number
}

/** A failure that needs no test; undefined where none is asked for. */
export function refuse(facts: Facts, why: CheckResult): Verdict | undefined {
  const { arn, report, assignment, nowMs } = facts
  const { burnIn: asked, node } = assignment
  if (asked === undefined) return undefined
  const { attempt, suite } = asked
  return {
    ...{ kind: 'verdict', node, arn, bootId: report.bootId, attempt, suite },
    ...{ verdict: why.verdict, checks: [why], refused: true, atMs: nowMs },
  }
}

/** The verdict on the report's burn-in, or why there is none to give. */
export function judge(facts: Facts): Judgement {
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
  const checks = [...settle(asked.checks, run.checks), ...namelessGpus(asked.checks, report)]
  const verdict = worst(checks.map((check) => check.verdict))
  return {
    judged: true,
    verdict: { kind: 'verdict', node, arn, bootId, attempt, suite, verdict, checks, atMs: nowMs },
  }
}

/** One result a check, the worst where several were sent, and one for each that is missing. */
function settle(asked: readonly AskedCheck[], sent: readonly CheckResult[]): CheckResult[] {
  const byName = groupBy(sent, ({ name }) => name)
  const limitsOf = new Map(asked.map((own) => [own.name, own.limits]))
  const missing = asked.filter(({ name }) => !byName.has(name))
  const found = [...byName.values()].flatMap((results) => {
    const verdict = worst(results.map((result) => result.verdict))
    return results.filter((result) => result.verdict === verdict).slice(0, 1)
  })
  return [
    ...found.map((own) => held(own, limitsOf.get(own.name) ?? {})),
    ...missing.map(({ name }) => ({
      name,
      verdict: 'UNKNOWN' as const,
      measures: {},
      text: 'the agent did not report this check',
    })),
  ]
}

/** A result held against what was asked for; what the agent says of limits counts for nothing. */
function held(result: CheckResult, limits: AskedCheck['limits']): CheckResult {
  const { limits: _, ...told } = result
  if (Object.keys(limits).length === 0) return told
  const breaches = canMeasure(told) ? breachesOf(told.measures, limits) : []
  const verdict = worst([told.verdict, ...breaches.map((own) => own.verdict)])
  const first = breaches.find((own) => own.verdict === verdict)
  return { ...told, verdict, text: first?.text ?? told.text, limits }
}

/** A check that could not run has measured nothing, and is no better known for it. */
const canMeasure = ({ verdict }: CheckResult): boolean => verdict === 'PASS' || verdict === 'WARN'

/** Checks about GPUs are worth nothing where nobody knows which: they could not be remembered. */
function namelessGpus(asked: readonly AskedCheck[], { gpus = [] }: Report): CheckResult[] {
  if (gpus.length > 0 || !asked.some(({ check }) => isAboutGpus(check))) return []
  const text = 'the agent names no GPU; was the driver up when it started?'
  return [{ name: HARDWARE_RESULT, verdict: 'UNKNOWN', measures: {}, text }]
}

function no(reason: string): Judgement {
  return { judged: false, reason }
}
