/**
 * Drover's events on an EventBridge bus, for people's own rules.
 *
 * They are news, not work: what cannot be published is logged and forgotten, for the history table
 * keeps the same events, and no pass may fail over them.
 */
import {
  EventBridgeClient,
  PutEventsCommand,
  type EventBridgeClientConfig,
  type PutEventsRequestEntry,
} from '@aws-sdk/client-eventbridge'
import { describeError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { DroverEvent } from '../../model/event.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Bus } from '../bus.ts'
import type { Clock } from '../clock.ts'

export type EventBridgeBusOptions = {
  busName: string
  cluster: string
  clock: Clock
  log: Logger
  /** Region, endpoint and credentials; from the environment where left out. */
  client?: EventBridgeClientConfig
}

export function makeEventBridgeBus(options: EventBridgeBusOptions): Bus {
  const { busName, cluster, clock, log } = options
  const client = new EventBridgeClient({ ...options.client, maxAttempts: 1 })
  const entryOf = (event: DroverEvent): PutEventsRequestEntry => ({
    EventBusName: busName,
    Source: 'drover',
    DetailType: 'Drover Event',
    Time: new Date(event.atMs),
    Detail: JSON.stringify({ cluster, ...event }),
  })

  /** Those of the entries that EventBridge did not take. */
  const put = async (entries: readonly PutEventsRequestEntry[]): Promise<Refused> => {
    try {
      const answer = await client.send(new PutEventsCommand({ Entries: [...entries] }), {
        abortSignal: AbortSignal.timeout(LIMITS.busTimeoutMs),
      })
      const results = answer.Entries ?? []
      const codes = results.flatMap(({ ErrorCode }) => ErrorCode ?? [])
      const entriesLeft = entries.filter((_, index) => results[index]?.ErrorCode !== undefined)
      return { entries: entriesLeft, text: codes.join(', ') }
    } catch (error) {
      return { entries, text: describeError(error) }
    }
  }

  const publishBatch = async (batch: readonly DroverEvent[], untilMs: number): Promise<void> => {
    let left: Refused = { entries: batch.map(entryOf), text: 'no time was left' }
    for (let attempt = 1; attempt <= LIMITS.busAttempts && clock.now() < untilMs; attempt += 1) {
      left = await put(left.entries)
      if (left.entries.length === 0) return
      if (attempt < LIMITS.busAttempts) await clock.sleep(LIMITS.busRetryPauseMs * attempt)
    }
    log.warn('events were not published', { count: left.entries.length, seen: left.text })
  }

  return {
    publish: async (events) => {
      const untilMs = clock.now() + LIMITS.busPublishMs
      for (let from = 0; from < events.length; from += LIMITS.busBatchMax) {
        await publishBatch(events.slice(from, from + LIMITS.busBatchMax), untilMs)
      }
    },
  }
}

type Refused = { entries: readonly PutEventsRequestEntry[]; text: string }
