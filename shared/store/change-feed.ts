/**
 * The memory store's stream: listeners hear every change in the order in which it was made.
 *
 * A listener may itself write. Its changes are queued behind those being told, so that no two
 * listeners ever see two changes in different orders.
 */
import type { Change } from './store.ts'

type Listener = (change: Change) => void

export type ChangeFeed = {
  emit(changes: readonly Change[]): void
  listen(listener: Listener): () => void
}

export function makeChangeFeed(): ChangeFeed {
  const listeners = new Set<Listener>()
  const waiting: Change[] = []
  let telling = false

  const tellAll = (): void => {
    for (let change = waiting.shift(); change !== undefined; change = waiting.shift()) {
      for (const listener of [...listeners]) listener(change)
    }
  }
  return {
    emit: (changes) => {
      if (listeners.size === 0) return
      waiting.push(...changes)
      if (telling) return
      telling = true
      try {
        tellAll()
      } finally {
        telling = false
      }
    },
    listen: (listener) => {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}
