/**
 * The bus port: events drover publishes for people's own automation. Nothing in drover listens to
 * it.
 */
import type { DroverEvent } from '../model/event.ts'

export type Bus = {
  /** Publishes up to any number of events, in batches of ten. Losing one is logged, never fatal. */
  publish(events: readonly DroverEvent[]): Promise<void>
}
