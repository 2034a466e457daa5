/** What the agent knows of one version of data: whole, on its way, or why it is not there. */
import type { CachedData } from '../events.ts'

export type DataState = {
  /** What the cache holds; absent until all of it is there. */
  readonly whole?: Omit<CachedData, 'key'>
  /** A fetch was ordered and has not been answered; `ending`: nobody wants it any more. */
  readonly fetching?: 'running' | 'ending'
  /** What the last fetch was held to. */
  readonly asked?: string
  /** As told in reports, so it moves in steps. */
  readonly fetchedBytes: number
  readonly totalBytes?: number
  readonly toldAtMs: number
  /** In a row; the last of them, which stays until all is there. */
  readonly failures: number
  readonly failed?: { readonly reason: string; readonly atMs: number }
}
