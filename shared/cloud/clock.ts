/**
 * The clock port: time enters drover here and nowhere else, so a simulation can own it.
 */
export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves once `ms` have passed. Controllers never need it; adapters' retries do. */
  sleep(ms: number): Promise<void>
}
