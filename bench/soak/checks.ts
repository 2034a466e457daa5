/**
 * What must hold at the end of a soak, each with the numbers it was judged by.
 *
 * A leak grows for as long as one looks; a heap that is warming up stops growing. So the last
 * quarter of the time is compared with the second: the first, when everything is warming up, does
 * not count, and a median does not care about one tall garbage heap.
 */
import { medianOf } from '../measure/quantiles.ts'
import type { Sample } from './gauges.ts'

export type Check = { readonly name: string; readonly ok: boolean; readonly text: string }

/** What is not growth: a quarter more, and so much besides. */
const FACTOR = 1.25
const SLACK_MIB = 20
const SLACK_FDS = 20
/** Connections that an agent keeps open or not, as its questions to instance metadata fall. */
const FDS_AN_AGENT = 2
/** What is alive wavers less than what is resident. */
const HEAP_FACTOR = 1.1
const HEAP_SLACK_MIB = 10
/** Fewer say nothing about a quarter. */
const SAMPLES_MIN = 8

export type Course = {
  readonly name: string
  readonly values: readonly number[]
  readonly factor: number
  readonly slack: number
  readonly unit: string
}

/** The median of the last quarter is at most that of the second, times `factor`, plus `slack`. */
export function isFlat({ name, values, factor, slack, unit }: Course): Check {
  if (values.length < SAMPLES_MIN)
    return { name, ok: false, text: `only ${String(values.length)} samples` }
  const quarter = (nth: number): readonly number[] =>
    values.slice(Math.floor((values.length * (nth - 1)) / 4), Math.floor((values.length * nth) / 4))
  const [before, after] = [medianOf(quarter(2)), medianOf(quarter(4))]
  const bound = before * factor + slack
  const text = (value: number): string => `${value.toFixed(0)}${unit}`
  return {
    name,
    ok: after <= bound,
    text:
      `second quarter ${text(before)}, last quarter ${text(after)}, ` +
      `allowed ${text(bound)}, most ${text(Math.max(...values))}`,
  }
}

export function flatnessOf(
  samples: readonly Sample[],
  heapsMib: readonly number[],
): readonly Check[] {
  const mib = { factor: FACTOR, slack: SLACK_MIB, unit: ' MiB' }
  const of = (key: keyof Sample): readonly number[] => samples.map((own) => own[key])
  return [
    isFlat({
      ...{ name: "drover's live heap is flat", values: heapsMib },
      ...{ factor: HEAP_FACTOR, slack: HEAP_SLACK_MIB, unit: ' MiB' },
    }),
    isFlat({ name: "drover's memory is flat", values: of('droverMib'), ...mib }),
    isFlat({ name: "the engine's memory is flat", values: of('engineMib'), ...mib }),
    isFlat({ name: "an agent's memory is flat", values: of('agentMib'), ...mib }),
    isFlat({
      ...{ name: "drover's open files are flat", values: of('droverFds') },
      ...{ factor: FACTOR, slack: SLACK_FDS + FDS_AN_AGENT * most(of('agents')), unit: '' },
    }),
    isFlat({
      ...{ name: "drover's listening ports are flat", values: of('droverPorts') },
      ...{ factor: 1, slack: 0, unit: '' },
    }),
  ]
}

const most = (values: readonly number[]): number => Math.max(0, ...values)

export function emptyCheck(name: string, faults: readonly string[]): Check {
  const shown = faults.slice(0, 10).join('; ')
  const more = faults.length > 10 ? `; and ${String(faults.length - 10)} more` : ''
  return { name, ok: faults.length === 0, text: faults.length === 0 ? 'none' : shown + more }
}
