/**
 * Conditions: what drover has to say about a thing, and whether that is good news.
 *
 * Of a few types it is good when they hold; any other condition is only there to tell of trouble.
 */
import type { ConditionAnswer } from '#shared/protocol/api.ts'
import type { Colour } from './paint.ts'
import { table, type Column, type TableStyle } from './table.ts'
import { ageOf } from './time.ts'

const GOOD_WHEN_TRUE: ReadonlySet<string> = new Set([
  ...['Available', 'Progressing', 'Ready', 'ScalingActive'],
  ...['AcceleratedHardwareReady', 'ClockReady', 'KernelReady', 'StorageReady'],
])

/** That scaling waits or has come to a limit is what it was told to do. */
const NEUTRAL: ReadonlySet<string> = new Set(['AbleToScale', 'ScalingLimited'])

export const isTrouble = ({ type, status }: ConditionAnswer): boolean =>
  !NEUTRAL.has(type) && status !== GOOD_WHEN_TRUE.has(type)

export const conditionColour = (condition: ConditionAnswer): Colour | undefined =>
  isTrouble(condition) ? 'red' : undefined

/** `Unschedulable, BrakeApplied`: the troubles by name; empty where there are none. */
export function troubles(conditions: readonly ConditionAnswer[]): string {
  return conditions
    .filter((condition) => isTrouble(condition))
    .map(({ type, status }) => (status ? type : `not ${type}`))
    .join(', ')
}

/** The words of the trouble that explains most: the newest fact about what is missing. */
export function mainTrouble(conditions: readonly ConditionAnswer[]): ConditionAnswer | undefined {
  const found = conditions.filter((condition) => isTrouble(condition))
  return found.find(({ type }) => !GOOD_WHEN_TRUE.has(type)) ?? found[0]
}

const columns = (nowMs: number): readonly Column<ConditionAnswer>[] => [
  { title: 'TYPE', of: (own) => ({ text: own.type, colour: conditionColour(own) }) },
  { title: 'STATUS', of: (own) => (own.status ? 'true' : 'false') },
  { title: 'REASON', of: (own) => own.reason },
  { title: 'SINCE', of: (own) => ageOf(own.since, nowMs) },
  { title: 'TEXT', of: (own) => own.text, shrink: true },
]

export function conditionLines(
  conditions: readonly ConditionAnswer[],
  { style, nowMs }: { readonly style: TableStyle; readonly nowMs: number },
): readonly string[] {
  return table(columns(nowMs), conditions, style)
}
