/**
 * Times as people say them: ages with one unit where one is enough, durations as they type them.
 */
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/**
 * `8s`, `95s`, `12m`, `3h`, `9d`: two of the next unit before it is used, so nothing jumps from 59
 * to 1.
 */
export function formatAge(ms: number): string {
  if (ms < 0) return '0s'
  if (ms < 2 * MINUTE) return `${String(Math.floor(ms / SECOND))}s`
  if (ms < 2 * HOUR) return `${String(Math.floor(ms / MINUTE))}m`
  if (ms < 2 * DAY) return `${String(Math.floor(ms / HOUR))}h`
  return `${String(Math.floor(ms / DAY))}d`
}

/** How long ago an ISO time was; empty for none. */
export function ageOf(iso: string | undefined, nowMs: number): string {
  if (iso === undefined) return ''
  const atMs = Date.parse(iso)
  return Number.isNaN(atMs) ? iso : formatAge(nowMs - atMs)
}

/** `2026-11-22 10:04:31Z` */
export const formatInstant = (iso: string): string => iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z')

/** `0.8s`, `12s`, `3m 20s`: how long something took. */
export function formatTook(ms: number): string {
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)}s`
  return formatDuration(Math.round(ms / SECOND) * SECOND)
}

/** `15m`, `1h 30m`, `45s` */
export function formatDuration(ms: number): string {
  const parts = UNITS.map(({ ms: unit, name }, index) => {
    const bigger = UNITS[index - 1]?.ms
    const own = bigger === undefined ? ms : ms % bigger
    return { count: Math.floor(own / unit), name }
  })
  const shown = parts
    .filter(({ count }) => count > 0)
    .map(({ count, name }) => String(count) + name)
  return shown.length === 0 ? '0s' : shown.join(' ')
}

const UNITS = [
  { name: 'd', ms: DAY },
  { name: 'h', ms: HOUR },
  { name: 'm', ms: MINUTE },
  { name: 's', ms: SECOND },
] as const

/**
 * `90s`, `15m`, `1h30m`, `2d`, or plain seconds, in milliseconds; undefined when it is none of
 * these.
 */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * SECOND
  const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(text)
  if (match === null || text === '') return undefined
  const [, days, hours, minutes, seconds] = match
  return (
    Number(days ?? 0) * DAY +
    Number(hours ?? 0) * HOUR +
    Number(minutes ?? 0) * MINUTE +
    Number(seconds ?? 0) * SECOND
  )
}
