/**
 * How a scaled workload stands, in the words that clients read.
 */
import type { MetricReading, ScaleTarget } from '#shared/model/scale-target.ts'
import type { Scale } from '#shared/model/scale.ts'
import type { ReadingAnswer, ScaleAnswer } from '#shared/protocol/scale-answer.ts'
import { isoOf } from './answers.ts'

type Said = { readonly target: ScaleTarget | undefined; readonly desired: number }

export function scaleAnswer({ min, max }: Scale, { target, desired }: Said): ScaleAnswer {
  const last = target?.lastScaled
  return {
    ...{ min, max, desired, why: whyOf(target) },
    readings: (target?.readings ?? []).map(readingAnswer),
    ...(last === undefined
      ? {}
      : { lastScaled: { at: isoOf(last.atMs), from: last.from, to: last.to, why: last.why } }),
  }
}

function whyOf(target: ScaleTarget | undefined): string {
  if (target === undefined) return 'its metrics have not been read so far'
  const most = target.readings.reduce<MetricReading | undefined>(
    (best, own) => ((own.replicas ?? -1) > (best?.replicas ?? -1) ? own : best),
    undefined,
  )
  const asked = most === undefined ? [] : [`${most.metric} asks for ${String(most.replicas)}`]
  return [...asked, ...[target.held, target.limited].flatMap((own) => own?.text ?? [])].join('; ')
}

function readingAnswer({ atMs, value, target, replicas, error, metric }: MetricReading) {
  const answer: ReadingAnswer = {
    ...{ metric, at: isoOf(atMs) },
    ...(value === undefined ? {} : { value }),
    ...(target === undefined ? {} : { target }),
    ...(replicas === undefined ? {} : { replicas }),
    ...(error === undefined ? {} : { error: { code: error.code, text: error.text } }),
  }
  return answer
}
