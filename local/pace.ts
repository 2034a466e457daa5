/**
 * How fast the laptop's herd lives: the waits that `--speed` shortens, each with a floor below
 * which it would no longer mean what it means.
 */
import { LIMITS } from '#shared/model/limits.ts'

export type Pace = {
  readonly tickMs: number
  readonly marketMs: number
  readonly rejudgeMs: number
  readonly scaleMs: number
  readonly repackMs: number
  readonly expiryMs: number
  readonly headPollMs: number
  readonly metadataPollMs: number
  readonly healthLookMs: number
  readonly lostAfterMs: number
  readonly bootDeadlineMs: number
}

export function paceOf(speed: number): Pace {
  const faster = (ms: number, floorMs: number): number =>
    Math.max(Math.min(ms, floorMs), Math.round(ms / speed))
  return {
    tickMs: faster(LIMITS.tickMs, 5_000),
    marketMs: faster(300_000, 30_000),
    rejudgeMs: faster(30_000, 5_000),
    scaleMs: faster(15_000, 1_000),
    repackMs: faster(15_000, 5_000),
    expiryMs: faster(60_000, 10_000),
    headPollMs: faster(300, 100),
    metadataPollMs: faster(500, 200),
    healthLookMs: faster(5_000, 1_000),
    // Two beats may be lost before silence counts, and agents beat at their own pace.
    lostAfterMs: faster(LIMITS.lostAfterMs, LIMITS.beatEveryMs * 2 + 5_000),
    bootDeadlineMs: faster(LIMITS.bootDeadlineMs, 30_000),
  }
}
