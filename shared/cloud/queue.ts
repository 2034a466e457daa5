/**
 * The queue port: wakes for reconcile.
 *
 * A wake carries no work, only "look again". `wake` sends to the FIFO queue, whose deduplication by
 * time bucket is the debounce; `wakeLater` goes through the standard queue, which alone has
 * per-message delays. (DESIGN §6, debounced wakes.)
 */
export type WakeBody = { readonly reason: string; readonly sentAtMs: number }

export type Queue = {
  /**
   * Sends a wake. Each attempt is stamped anew: bucket = ⌊send time / 400 ms⌋, timeout 300 ms, the
   * SDK's own retries off. Throws QueueError after the last attempt.
   */
  wake(reason: string): Promise<void>
  /** Wakes once `delayMs` has passed, rounded up to whole seconds and capped at 900 s. */
  wakeLater(reason: string, delayMs: number): Promise<void>
}
