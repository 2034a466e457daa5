/**
 * Names of the metrics that something depends on: an alarm in `infra/` watches what a function
 * records, so both take the name from here.
 */
export const METRIC_NAMESPACE = 'Drover'

export const METRICS = {
  /** 1 for each pass that ended well, skipped ones not counted. Its absence raises an alarm. */
  goodPass: 'GoodPass',
} as const
