/**
 * Bad weather between the services: news that is lost, doubled or late.
 *
 * The loop promises that an event may be any of these and cost at most one tick. This is where a
 * person can make it so and look. The tick itself is never touched: it is the net.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'

const rate = z.number().min(0).max(1)

export const deliverSchema = z.strictObject({
  /** Share of deliveries that never arrive. */
  drop: rate.default(0),
  /** Share of deliveries that arrive twice. */
  duplicate: rate.default(0),
  delayMs: z.int().min(0).max(600_000).default(0),
})
export type DeliverFaults = z.infer<typeof deliverSchema>

export type Weather = {
  faults(): DeliverFaults
  set(faults: DeliverFaults): void
  /** Runs a delivery through the weather: not at all, once or twice, perhaps later. */
  deliver(run: () => Promise<void>): Promise<void>
}

export function makeWeather(draw: () => number = Math.random): Weather {
  let faults = deliverSchema.parse({})
  return {
    faults: () => faults,
    set: (changed) => {
      faults = changed
    },
    deliver: async (run) => {
      const { drop, duplicate, delayMs } = faults
      if (drop > 0 && draw() < drop) return
      if (delayMs > 0) await sleep(delayMs)
      await run()
      if (duplicate > 0 && draw() < duplicate) await run()
    },
  }
}
