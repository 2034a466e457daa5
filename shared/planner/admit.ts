/**
 * Which of the targets may go ahead now.
 *
 * Without quotas every one of them may. The stage stands between `target` and `place` because that
 * is where teams' guarantees and loans decide; its answer has the shape that they need.
 */
import type { Refusal } from './actions.ts'
import type { Target } from './target.ts'

export type Admission = {
  readonly admitted: readonly Target[]
  readonly refused: readonly Refusal[]
}

export function admit(targets: readonly Target[]): Admission {
  return { admitted: targets, refused: [] }
}
