/**
 * The report of a replay: what is drawn, as data; `report-page.ts` makes a page of it.
 */
import { byNumber } from '#shared/base/order.ts'
import { formatUsd } from '../render/money.ts'
import { formatDuration } from '../render/time.ts'
import { START_MS, type Replay } from './replay.ts'
import type { Sample } from './sample.ts'
import { costOf, gapOf, type Summary } from './summary.ts'

export type Series = {
  readonly label: string
  /** One for each of the chart's `x`; null where nothing is known. */
  readonly values: readonly (number | null)[]
  /** Joined over what is not known: it is found more seldom. */
  readonly isSparse?: true
}

export type Chart = {
  readonly title: string
  /** What it says, in a sentence. */
  readonly text: string
  readonly xLabel: string
  readonly yLabel: string
  readonly x: readonly number[]
  readonly series: readonly Series[]
}

export type Report = {
  readonly title: string
  readonly facts: readonly (readonly [name: string, value: string])[]
  readonly charts: readonly Chart[]
}

const HOUR_MS = 3_600_000

export function reportOf(replay: Replay, summary: Summary, title: string): Report {
  return { title, facts: factsOf(summary), charts: chartsOf(replay, summary) }
}

/** Of a summary, in the order in which one reads them. */
export function factsOf(summary: Summary): Report['facts'] {
  const { costUsd, meanGap, worstGap, hours } = summary
  const saved = (usd: number | null): string =>
    usd === null ? '' : `${formatUsd(usd)}; ${percent(1 - costUsd / usd)} of it is saved`
  const perDay = summary.repackMovesPerReplicaDay.toFixed(2)
  const facts: Report['facts'] = [
    ['Time', formatDuration(hours * HOUR_MS)],
    [
      'Workloads',
      `${String(summary.workloads)}, at most ${String(summary.mostReplicas)} replicas at once`,
    ],
    ['Cost', `${formatUsd(costUsd)}, ${percent(summary.spotShare)} of it for spot`],
    [
      'Over the bound',
      meanGap === null ? '' : `${percent(meanGap)} on average, ${percent(worstGap ?? 0)} at worst`,
    ],
    ['All on-demand', saved(summary.onDemandUsd)],
    ['A static fleet', saved(summary.staticUsd)],
    ['Until ready', waitText(summary)],
    ['Never ready', String(summary.neverReady)],
    ['Interruptions', interruptionText(summary)],
    ['Moved by repack', `${String(summary.repackMoves)} replicas, ${perDay} a replica and day`],
    ['Reclaimed', summary.replicasReclaimed === 0 ? '' : String(summary.replicasReclaimed)],
  ]
  return facts.filter(([, value]) => value !== '')
}

const percent = (share: number): string => `${(share * 100).toFixed(1)}%`

function waitText({ waitMedianSeconds: half, waitP99Seconds: most }: Summary): string {
  if (half === null || most === null) return ''
  const [one, all] = [half, most].map((seconds) => formatDuration(seconds * 1000))
  return `${one ?? ''} for one in two, ${all ?? ''} for 99 in 100`
}

function interruptionText({ machinesTakenBack, replicasInterrupted }: Summary): string {
  const machines = `${String(machinesTakenBack)} machines taken back`
  return `${machines}, ${String(replicasInterrupted)} replicas on them`
}

function chartsOf({ samples, waitsMs }: Replay, { staticUsd, hours }: Summary): readonly Chart[] {
  const over = { xLabel: 'hours', x: samples.map((own) => (own.atMs - START_MS) / HOUR_MS) }
  const line = (label: string, of: (sample: Sample) => number): Series => {
    return { label, values: samples.map(of) }
  }
  const sparse = (label: string, of: (sample: Sample) => number | undefined): Series => {
    return { label, values: samples.map((own) => of(own) ?? null), isSparse: true }
  }
  return [
    {
      ...{ ...over, title: 'Cost', yLabel: 'USD an hour' },
      text: 'What EC2 bills, beside the bound that no fleet can fall below and two other fleets.',
      series: [
        line('drover', costOf),
        sparse('bound', (own) => own.bound?.boundUsdPerHour),
        sparse('all on-demand', (own) => own.onDemandUsdPerHour),
        ...(staticUsd === null ? [] : [line('static fleet', () => staticUsd / hours)]),
      ],
    },
    {
      ...{ ...over, title: 'Gap', yLabel: '% over the bound' },
      text: 'How far the cost is over the bound.',
      series: [sparse('gap', (own) => times100(gapOf(own)))],
    },
    {
      ...{ ...over, title: 'Replicas', yLabel: 'replicas' },
      text: 'What was wanted, and what of it was ready.',
      series: [line('wanted', (own) => own.wanted), line('ready', (own) => own.ready)],
    },
    {
      ...{ ...over, title: 'Machines', yLabel: 'machines' },
      text: 'Machines that were there or on their way.',
      series: [line('machines', (own) => own.nodes)],
    },
    {
      ...{ ...over, title: 'Utilisation', yLabel: '% of what machines can give' },
      text: 'Requests of the replicas over what the ready machines offer.',
      series: (['cpu', 'memory', 'gpu'] as const).map((name) =>
        line(name, ({ utilisation }) => utilisation[name] * 100),
      ),
    },
    {
      ...{ ...over, title: 'Disruptions', yLabel: 'replicas until then' },
      text: 'Replicas that were interrupted by EC2, moved by a repack, or reclaimed.',
      series: [
        line('interrupted', ({ counts }) => counts.interrupted),
        line('moved by repack', ({ counts }) => counts.repackMoves),
        line('reclaimed', ({ counts }) => counts.reclaimed),
      ],
    },
    waitChart(waitsMs),
  ]
}

const times100 = (share: number | undefined): number | undefined =>
  share === undefined ? undefined : share * 100

const WAIT_PARTS = 100

/** So many of a hundred workloads were ready within the time. */
function waitChart(waitsMs: readonly number[]): Chart {
  const sorted = waitsMs.toSorted(byNumber)
  const parts = sorted.length === 0 ? [] : Array.from({ length: WAIT_PARTS }, (_, i) => i + 1)
  const at = (part: number): number =>
    (sorted[Math.ceil((sorted.length * part) / WAIT_PARTS) - 1] ?? 0) / 1000
  return {
    ...{ title: 'Until ready', xLabel: '% of the workloads', yLabel: 'seconds', x: parts },
    text: 'How long workloads waited until all their replicas had been ready.',
    series: [{ label: 'seconds', values: parts.map(at) }],
  }
}
