/**
 * Aligned columns, two spaces apart: nothing to draw, easy to cut, and `awk '{print $1}'` works.
 *
 * Widths are counted before colour is put on. On a terminal the column marked `shrink` gives way,
 * so that a row stays a line; in a pipe nothing is ever cut.
 */
import type { Colour, Paint } from './paint.ts'

export type Cell = string | { readonly text: string; readonly colour: Colour | undefined }

export type Column<T> = {
  readonly title: string
  readonly of: (row: T) => Cell
  readonly align?: 'right'
  /** The one that is cut where the terminal is too narrow; the last one, as a rule. */
  readonly shrink?: true
}

export type TableStyle = {
  readonly paint: Paint
  /** Columns of the terminal; undefined in a pipe. */
  readonly width: number | undefined
}

const GAP = '  '
const SHRUNK_MIN = 12

/** The table's lines. An empty cell reads `-`; a column that is empty throughout is left out. */
export function table<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  style: TableStyle,
): readonly string[] {
  const grid = columns.map((column) => rows.map((row) => cellOf(column.of(row))))
  const shown = columns
    .map((column, index) => ({ column, cells: grid[index] ?? [] }))
    .filter(({ cells }) => rows.length === 0 || cells.some(({ text }) => text !== ''))
  const widths = fit(
    shown.map(({ column, cells }) => ({
      shrink: column.shrink === true,
      width: Math.max(column.title.length, ...cells.map(({ text }) => lengthOf(text || '-'))),
    })),
    style.width,
  )
  const line = (cells: readonly PlainCell[]): string =>
    cells
      .map((cell, index) => {
        const column = shown[index]?.column
        return pad(cell, { width: widths[index] ?? 0, right: column?.align === 'right' }, style)
      })
      .join(GAP)
      .trimEnd()
  const header = shown.map(({ column }) => ({ text: column.title, colour: 'dim' as const }))
  const body = rows.map((_, index) =>
    line(shown.map(({ cells }) => cells[index] ?? { text: '', colour: undefined })),
  )
  return [line(header), ...body]
}

type PlainCell = { readonly text: string; readonly colour: Colour | undefined }

function cellOf(cell: Cell): PlainCell {
  const { text, colour } = typeof cell === 'string' ? { text: cell, colour: undefined } : cell
  return { text: text.replace(/\s+/g, ' '), colour }
}

const lengthOf = (text: string): number => Array.from(text).length

function fit(
  columns: readonly { readonly width: number; readonly shrink: boolean }[],
  available: number | undefined,
): readonly number[] {
  const widths = columns.map(({ width }) => width)
  if (available === undefined) return widths
  const total = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1)
  const over = total - available
  if (over <= 0) return widths
  return columns.map(({ width, shrink }) =>
    shrink ? Math.max(Math.min(width, SHRUNK_MIN), width - over) : width,
  )
}

function pad(
  cell: PlainCell,
  { width, right }: { readonly width: number; readonly right: boolean },
  { paint }: TableStyle,
): string {
  const full = cell.text === '' ? '-' : cell.text
  const text =
    lengthOf(full) > width
      ? `${Array.from(full)
          .slice(0, width - 1)
          .join('')}…`
      : full
  const blank = ' '.repeat(width - lengthOf(text))
  const painted = paint(text, cell.text === '' ? 'dim' : cell.colour)
  return right ? blank + painted : painted + blank
}
