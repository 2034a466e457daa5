/**
 * Rows of the bench as a table: gaps in per cent, moves and interruptions a replica and day.
 */
import type { Row } from './run.ts'

const percent = (share: number | null): string =>
  share === null ? '–' : `${(share * 100).toFixed(2)} %`

const COLUMNS: readonly (readonly [title: string, width: number, of: (row: Row) => string])[] = [
  ['seed', 5, (row) => String(row.seed)],
  ['repack', 9, (row) => row.repack],
  ['budget', 8, (row) => row.budget ?? 'default'],
  ['nodes', 6, (row) => String(row.nodes)],
  ['mean gap', 9, (row) => percent(row.meanGap)],
  ['worst', 9, (row) => percent(row.worstGap)],
  ['after storms', 13, (row) => percent(row.stormGap)],
  ['moves', 7, (row) => row.movesPerReplicaDay.toFixed(2)],
  ['interrupted', 12, (row) => row.interruptedPerReplicaDay.toFixed(2)],
  ['USD', 10, (row) => row.costUsd.toFixed(0)],
  ['cpu s', 7, (row) => (row.cpuMs / 1000).toFixed(0)],
]

export const HEAD = COLUMNS.map(([title, width]) => title.padStart(width)).join(' ')

export const lineOf = (row: Row): string =>
  COLUMNS.map(([, width, of]) => of(row).padStart(width)).join(' ')
