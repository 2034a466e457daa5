/**
 * What a check has found out, before anybody gave it a name.
 *
 * PASS and FAIL speak of the machine. A check that could not look says INFRA, where the next try
 * may go better, or UNKNOWN, where an answer came and nobody can tell what it means.
 */
import { describeError } from '#shared/base/errors.ts'
import type { CheckResult, VerdictName } from '#shared/model/verdict.ts'

export type Finding = Pick<CheckResult, 'verdict' | 'measures' | 'text' | 'needs'> & {
  /** GPUs with a fault of their own, by where they sit or by how the driver counts them. */
  readonly devices?: readonly FaultyDevice[]
}

export type FaultyDevice = {
  readonly at: { readonly bus: string } | { readonly index: number }
  readonly verdict: VerdictName
  readonly text: string
}

export type Measures = Finding['measures']

const TEXT_MAX_CHARS = 500

export function found(verdict: VerdictName, text = '', measures: Measures = {}): Finding {
  return { verdict, measures, text: text.slice(0, TEXT_MAX_CHARS) }
}

/** The check could not be made, which is nobody's fault yet. */
export function couldNot(error: unknown, measures: Measures = {}): Finding {
  return found('INFRA', describeError(error), measures)
}
