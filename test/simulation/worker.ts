/**
 * Runs worlds in a thread of its own, one seed after the other, and tells what came of each.
 */
import { parentPort } from 'node:worker_threads'
import { makeAuditor } from './auditor/auditor.ts'
import type { RuleName } from './auditor/rules.ts'
import type { SimOptions } from './options.ts'
import { describeViolation, runWorld, type Outcome } from './run.ts'

/** An outcome small enough to be handed between threads. */
export type Summary = Omit<Outcome, 'struck' | 'violation'> & {
  readonly struck: Readonly<Record<string, number>>
  readonly rule?: RuleName
  readonly story?: string
  readonly tookMs: number
}

export type Told =
  | { readonly summary: Summary }
  | { readonly broken: { readonly options: SimOptions; readonly text: string } }

export function summaryOf({ struck, violation, ...outcome }: Outcome, tookMs: number): Summary {
  const counts: Record<string, number> = {}
  for (const name of struck) {
    const fault = name.slice(0, name.indexOf(' '))
    counts[fault] = (counts[fault] ?? 0) + 1
  }
  const story = describeViolation({
    ...outcome,
    struck,
    ...(violation === undefined ? {} : { violation }),
  })
  return {
    ...outcome,
    ...{ struck: counts, tookMs },
    ...(violation === undefined ? {} : { rule: violation.rule, story }),
  }
}

const port = parentPort
port?.on('message', (options: SimOptions) => {
  const startMs = performance.now()
  runWorld({ options, makeAuditor }).then(
    (outcome) => {
      port.postMessage({ summary: summaryOf(outcome, performance.now() - startMs) })
    },
    (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      port.postMessage({ broken: { options, text } })
    },
  )
})
