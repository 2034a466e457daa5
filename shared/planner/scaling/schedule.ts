/**
 * Whether a schedule holds just now, by the clock on the wall of its time zone.
 *
 * Only hours and minutes are compared, so summer time needs no rule of its own: an hour that a day
 * skips is never seen, and one that it has twice is seen twice.
 */
import { onceFor } from '../../base/remembered.ts'
import { DAYS, type Day, type MetricOf } from '../../model/metric.ts'

/** True from `from` until `to`, on the days it names; past midnight that is the day it began on. */
export function holds(
  { timeZone, days, from, to }: Pick<MetricOf<'schedule'>, 'timeZone' | 'days' | 'from' | 'to'>,
  nowMs: number,
): boolean {
  const { day, time } = wallClock(timeZone, nowMs)
  const isNamed = (one: Day): boolean => (days ?? DAYS).includes(one)
  if (from < to) return isNamed(day) && from <= time && time < to
  return (isNamed(day) && from <= time) || (isNamed(dayBefore(day)) && time < to)
}

const dayBefore = (day: Day): Day => DAYS.at(DAYS.indexOf(day) - 1) ?? day

type WallClock = { readonly day: Day; readonly time: string }

function wallClock(timeZone: string, nowMs: number): WallClock {
  const parts = new Map(
    formatFor(timeZone)
      .formatToParts(nowMs)
      .map(({ type, value }) => [type, value]),
  )
  const day = DAYS.find((own) => own === parts.get('weekday')?.toLowerCase()) ?? 'mon'
  return { day, time: `${parts.get('hour') ?? ''}:${parts.get('minute') ?? ''}` }
}

const formatFor = onceFor(
  (timeZone: string) =>
    new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      ...{ weekday: 'short', hour: '2-digit', minute: '2-digit' },
    }),
)
