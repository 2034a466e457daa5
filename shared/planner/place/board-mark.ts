/**
 * Takes back what was put on the board since it was marked: a trial that came to nothing leaves no
 * trace.
 */
import type { Board } from './board.ts'

type Counts = Map<string, Map<string, number>>

/** Call what it returns to have the board as it is now. */
export function markBoard(board: Board): () => void {
  const slots = board.slots.map((slot) => ({ slot, was: { ...slot } }))
  const topology = copyOf(board.topology)
  const exposure = copyOf(board.exposure)
  return () => {
    for (const { slot, was } of slots) Object.assign(slot, was)
    board.slots.splice(0, Infinity, ...slots.map((own) => own.slot))
    refill(board.topology, topology)
    refill(board.exposure, exposure)
  }
}

function copyOf(counts: Counts): Counts {
  return new Map([...counts].map(([key, own]) => [key, new Map(own)]))
}

function refill(counts: Counts, from: Counts): void {
  counts.clear()
  for (const [key, own] of from) counts.set(key, own)
}

/** Replicas on each node. */
export function countsOn({ slots }: Board): ReadonlyMap<string, number> {
  return new Map(slots.map((own) => [own.node, own.replicas]))
}
