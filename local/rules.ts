/**
 * EventBridge's rules on a laptop: what EC2 announces goes to `interruption`.
 *
 * Lambda tries an event again when the function fails; so does this, sooner. What still fails is
 * said in the log and left: the tick sees the same by asking EC2.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import type { Ec2Event } from '#shared/cloud/memory-ec2/types.ts'
import { EC2_EVENT_PATTERNS, type EventPattern } from '#shared/protocol/ec2-event-patterns.ts'
import { matchesPattern, type Pattern } from './patterns.ts'
import type { Weather } from './weather.ts'

const RULES: readonly Pattern[] = Object.values<EventPattern>(EC2_EVENT_PATTERNS).map(
  ({ source, detailType, detail }) => ({
    source,
    'detail-type': detailType,
    ...(detail === undefined ? {} : { detail }),
  }),
)

const ATTEMPTS = 5
const PAUSE_MS = 500

export type Rules = {
  /** Takes an event as it happens and returns at once. */
  take(event: Ec2Event): void
  /** Ends once nothing is under way any more; later events are dropped. */
  stop(): Promise<void>
}

export type RulesOptions = {
  readonly target: (event: Ec2Event) => Promise<void>
  readonly weather: Weather
  readonly log: Logger
}

export function makeRules({ target, weather, log }: RulesOptions): Rules {
  const stopping = new AbortController()
  const underWay = new Set<Promise<void>>()
  const bring = async (event: Ec2Event): Promise<void> => {
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      try {
        await target(event)
        return
      } catch (error) {
        const facts = { event: event['detail-type'], error: describeError(error) }
        if (attempt >= ATTEMPTS) {
          log.error('an announcement of EC2 was set aside', facts)
          return
        }
        const waitMs = PAUSE_MS * 2 ** (attempt - 1)
        await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      }
    }
  }
  return {
    take: (event) => {
      if (stopping.signal.aborted) return
      if (!RULES.some((pattern) => matchesPattern(pattern, event))) return
      const delivery = weather
        .deliver(() => bring(event))
        .finally(() => {
          underWay.delete(delivery)
        })
      underWay.add(delivery)
    },
    stop: async () => {
      stopping.abort()
      await Promise.all(underWay)
    },
  }
}
