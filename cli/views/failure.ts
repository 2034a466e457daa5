/**
 * Failures as rows: which version fails on which node, and which of the two is to blame.
 */
import type { FailureAnswer } from '#shared/protocol/why-answers.ts'
import type { Colour } from '../render/paint.ts'
import { indented, type Section } from '../render/page.ts'
import { table, type Column, type TableStyle } from '../render/table.ts'
import { ageOf } from '../render/time.ts'

const BLAME_COLOURS: Readonly<Record<string, Colour>> = { BadVersion: 'red', BadNode: 'red' }

const columns = (nowMs: number): readonly Column<FailureAnswer>[] => [
  { title: 'WORKLOAD', of: ({ workload }) => workload },
  { title: 'VERSION', of: ({ version }) => version },
  { title: 'NODE', of: ({ node }) => node },
  { title: 'REPLICAS', of: ({ replicas }) => String(replicas), align: 'right' },
  { title: 'TIMES', of: ({ count }) => String(count), align: 'right' },
  { title: 'LAST', of: ({ last }) => ageOf(last, nowMs), align: 'right' },
  { title: 'BLAME', of: ({ blame }) => ({ text: blame.code, colour: BLAME_COLOURS[blame.code] }) },
  { title: 'WHY', of: ({ blame }) => blame.text, shrink: true },
]

/** All but the column of what the page is about. */
export function failureSection(
  failures: readonly FailureAnswer[] | undefined,
  { of, style, nowMs }: { of: 'WORKLOAD' | 'NODE'; style: TableStyle; nowMs: number },
): Section {
  const shown = columns(nowMs).filter(({ title }) => title !== of)
  const lines = failures === undefined ? [] : table(shown, failures, indented(style))
  return { title: 'Failures', lines }
}
