/**
 * Events as rows, oldest first, as they happened.
 */
import type { EventAnswer } from '#shared/protocol/api.ts'
import type { Cell, Column } from '../render/table.ts'
import { ageOf, formatInstant } from '../render/time.ts'

const reasonCell = ({ reason, type }: EventAnswer): Cell => ({
  text: reason,
  colour: type === 'Warning' ? 'yellow' : undefined,
})

const what: readonly Column<EventAnswer>[] = [
  { title: 'TYPE', of: ({ type }) => type },
  { title: 'REASON', of: reasonCell },
  { title: 'OBJECT', of: ({ object }) => object },
  { title: 'TEXT', of: ({ text }) => text, shrink: true },
]

export const eventColumns = (nowMs: number): readonly Column<EventAnswer>[] => [
  { title: 'AGE', of: ({ at }) => ageOf(at, nowMs), align: 'right' },
  ...what,
]

/** Of one object, whose name stands above. */
export const ownEventColumns = (nowMs: number): readonly Column<EventAnswer>[] =>
  eventColumns(nowMs).filter(({ title }) => title !== 'OBJECT')

/** A line on its own, for a stream that goes on: its time, for an age would be wrong at once. */
export const eventLine = ({ at, type, object, reason, text }: EventAnswer): string =>
  `${formatInstant(at)}  ${type.padEnd('Warning'.length)}  ${object} ${reason}: ${text}`
