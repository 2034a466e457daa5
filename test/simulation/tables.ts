/**
 * What many worlds came to, as a table for people; its last line is a summary.
 */
import type { Summary } from './worker.ts'

export type Worlds = {
  readonly found: readonly Summary[]
  readonly broken: readonly string[]
  readonly tookMs: number
}

type Row = readonly [string, ...string[]]

export function tableOf({ found, broken, tookMs }: Worlds): string {
  const violations = countBy(found.flatMap(({ rule }) => rule ?? []))
  const struck = new Map<string, { times: number; worlds: number }>()
  for (const own of found) {
    for (const [fault, times] of Object.entries(own.struck)) {
      const sum = struck.get(fault) ?? { times: 0, worlds: 0 }
      struck.set(fault, { times: sum.times + times, worlds: sum.worlds + 1 })
    }
  }
  const faults = [...struck]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([fault, { times, worlds }]): Row => [fault, String(times), String(worlds)])
  const total = (of: (own: Summary) => number): number =>
    found.reduce((sum, own) => sum + of(own), 0)
  const minutes = found
    .flatMap(({ convergedAfterMs }) =>
      convergedAfterMs === undefined ? [] : convergedAfterMs / 60_000,
    )
    .toSorted((a, b) => a - b)
  const at = (share: number): string =>
    (minutes[Math.min(minutes.length - 1, Math.floor(share * minutes.length))] ?? 0).toFixed(1)
  const hours = total((own) => own.virtualHours)
  const busyMs = total((own) => own.tookMs)
  return [
    '',
    columns([['fault in calls', 'struck', 'worlds'], ...faults]),
    '',
    columns([
      ['measure', 'value'],
      ['virtual hours', hours.toFixed(0)],
      ['passes of reconcile', String(total((own) => own.passes))],
      ['machines bought', String(total((own) => own.launched))],
      ['minutes until whole, p50', at(0.5)],
      ['minutes until whole, p99', at(0.99)],
      ['minutes until whole, most', at(1)],
      ['virtual hours a minute, one core', ((hours / Math.max(1, busyMs)) * 60_000).toFixed(0)],
      ['wall-clock seconds', (tookMs / 1000).toFixed(0)],
    ]),
    '',
    ...[...violations].map(([rule, count]) => `broke "${rule}" in ${String(count)} worlds`),
    `${String(found.length)} worlds, ${hours.toFixed(0)} virtual hours: ` +
      `${String(found.filter((own) => own.rule !== undefined).length)} violations, ` +
      `${String(minutes.length)} converged, ${String(broken.length)} broken`,
  ].join('\n')
}

function countBy(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

export function columns(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? '').length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
