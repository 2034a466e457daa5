/**
 * The table's stream to its two consumers, `wake` and `burn-in`, each with the filters that the
 * stack gives it.
 */
import type { DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { STREAM_FILTERS } from '#shared/controllers/stream-filters.ts'
import { matchesPattern, type Pattern } from './patterns.ts'
import type { LocalTable } from './table.ts'
import type { Weather } from './weather.ts'

export type StreamTarget = (event: DynamoDBStreamEvent) => Promise<void>

export type StreamsOptions = {
  readonly table: Pick<LocalTable, 'follow'>
  readonly targets: Readonly<Record<keyof typeof STREAM_FILTERS, StreamTarget>>
  readonly weather: Weather
  readonly log: Logger
}

/** Starts both; the result stops them after the batches in hand. */
export async function followTable(options: StreamsOptions): Promise<() => Promise<void>> {
  const { targets } = options
  const stops = await Promise.all([
    follow(options, STREAM_FILTERS.wake, targets.wake),
    follow(options, STREAM_FILTERS.burnIn, targets.burnIn),
  ])
  return async () => {
    await Promise.all(stops.map((stop) => stop()))
  }
}

function follow(
  { table, weather, log }: StreamsOptions,
  filters: readonly Pattern[],
  target: StreamTarget,
): Promise<() => Promise<void>> {
  const isWanted = (record: DynamoDBRecord): boolean =>
    filters.some((pattern) => matchesPattern(pattern, record))
  return table.follow({
    consume: async (records) => {
      const Records = records.filter(isWanted)
      if (Records.length > 0) await weather.deliver(() => target({ Records }))
    },
    deadLetter: ({ records, error }) => {
      log.error('changes of the table were set aside', {
        count: records.length,
        error: describeError(error),
      })
    },
  })
}
