/**
 * The metrics port. Names and units are CloudWatch's; dimensions are few on purpose, for each
 * distinct combination is billed.
 */
export type MetricUnit = 'Count' | 'Milliseconds' | 'None'

export type Metrics = {
  /** Records one value; sending is the adapter's business and never fails the caller. */
  record(name: string, value: number, unit: MetricUnit): void
}
