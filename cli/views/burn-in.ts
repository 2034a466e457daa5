/**
 * Burn-ins as rows: which machine, what came of it, and what decided that.
 */
import type { BurnInRecordAnswer } from '#shared/protocol/api.ts'
import type { Column } from '../render/table.ts'
import { ageOf, formatTook } from '../render/time.ts'
import { verdictColour } from './node.ts'

export const burnInColumns = (nowMs: number): readonly Column<BurnInRecordAnswer>[] => [
  { title: 'AGE', of: ({ at }) => ageOf(at, nowMs), align: 'right' },
  { title: 'NODE', of: ({ node }) => node },
  { title: 'POOL', of: ({ pool }) => pool ?? '' },
  { title: 'TYPE', of: ({ instanceType }) => instanceType ?? '' },
  { title: 'ZONE', of: ({ zone }) => zone ?? '' },
  { title: 'SUITE', of: ({ suite }) => suite.replace(/#.*/, '') },
  { title: 'TRY', of: ({ attempt }) => String(attempt), align: 'right' },
  { title: 'TOOK', of: tookText, align: 'right' },
  { title: 'VERDICT', of: ({ verdict }) => ({ text: verdict, colour: verdictColour(verdict) }) },
  { title: 'WHY', of: whyText, shrink: true },
]

/** All its checks together: they are run one after the other. */
function tookText({ checks }: BurnInRecordAnswer): string {
  const ms = checks.reduce((sum, own) => sum + (own.durationMs ?? 0), 0)
  return ms === 0 ? '' : formatTook(ms)
}

function whyText({ verdict, checks }: BurnInRecordAnswer): string {
  if (verdict === 'PASS') return ''
  const first = checks.find((own) => own.verdict === verdict)
  return first === undefined ? '' : `${first.name}: ${first.text}`
}
