/**
 * Revisions as rows: which versions can be gone back to, and what each of them changed.
 */
import type { RevisionAnswer, TemplateChange } from '#shared/protocol/why-answers.ts'
import type { Column } from '../render/table.ts'
import { ageOf } from '../render/time.ts'

/** `resources.cpu 500m → 1`, `env.LEVEL debug (new)`, `image web:1 (gone)` */
function changeText({ path, before, after }: TemplateChange): string {
  if (before === undefined) return `${path} ${valueText(after)} (new)`
  if (after === undefined) return `${path} ${valueText(before)} (gone)`
  return `${path} ${valueText(before)} → ${valueText(after)}`
}

const valueText = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value)

const stateText = ({ active, stable }: RevisionAnswer): string =>
  [active ? 'active' : '', stable ? 'stable' : ''].filter(Boolean).join(', ')

const changesText = ({ changes }: RevisionAnswer): string => {
  if (changes === undefined) return 'the oldest that is kept'
  return changes.length === 0 ? 'nothing' : changes.map(changeText).join('; ')
}

export const revisionColumns = (nowMs: number): readonly Column<RevisionAnswer>[] => [
  { title: 'REVISION', of: ({ number }) => String(number), align: 'right' },
  { title: 'VERSION', of: ({ version }) => version },
  { title: 'AGE', of: ({ createdAt }) => ageOf(createdAt, nowMs), align: 'right' },
  { title: 'STATE', of: stateText },
  { title: 'CHANGES', of: changesText, shrink: true },
]
