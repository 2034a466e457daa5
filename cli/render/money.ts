/**
 * Prices: enough digits to tell two spot machines apart, no more.
 */
/** A month as AWS's own calculator counts it. */
const HOURS_PER_MONTH = 730

/** `$0.0123`, `$1.23`, `$1,234` */
export function formatUsd(usd: number): string {
  if (usd === 0) return '$0'
  if (usd < 1) return `$${usd.toFixed(4)}`
  return usd < 1_000 ? `$${usd.toFixed(2)}` : wholeUsd(usd)
}

const wholeUsd = (usd: number): string =>
  `$${String(Math.round(usd)).replace(/\B(?=(\d{3})+$)/g, ',')}`

/** `$0.0123/h` */
export const formatUsdPerHour = (usdPerHour: number): string => `${formatUsd(usdPerHour)}/h`

/** The same; undefined where there is nothing to tell. */
export const someUsd = (usdPerHour: number): string | undefined =>
  usdPerHour === 0 ? undefined : formatUsdPerHour(usdPerHour)

/** `about $900 a month` */
export function formatMonthly(usdPerHour: number): string {
  const usd = usdPerHour * HOURS_PER_MONTH
  return `about ${usd > 0 && usd < 10 ? formatUsd(usd) : wholeUsd(usd)} a month`
}

/** `38%`: what is saved of `full` by paying `paid`; empty where nothing is. */
export function formatSaving(paid: number, full: number): string {
  if (full <= 0 || paid >= full) return ''
  return `${String(Math.round((1 - paid / full) * 100))}%`
}

/** What a bound says: how little it could cost, and how far over that the fleet is. */
export function formatBound(bound: {
  readonly boundUsdPerHour: number
  readonly fleetUsdPerHour: number | null
  readonly gap: number | null
}): string {
  const { boundUsdPerHour, fleetUsdPerHour, gap } = bound
  const least = `no fleet could do it under ${formatUsdPerHour(boundUsdPerHour)}`
  if (fleetUsdPerHour === null || gap === null) return least
  const percent = `${(Math.abs(gap) * 100).toFixed(1)}%`
  const where = percent === '0.0%' ? 'at it' : `${percent} ${gap < 0 ? 'under' : 'over'} it`
  return `${least}; ${formatUsdPerHour(fleetUsdPerHour)} is ${where}`
}
