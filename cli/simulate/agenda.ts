/**
 * Virtual time: what is to happen, in the order of its moments.
 *
 * Acts may be asynchronous as long as they wait for nothing but memory: one ends before the next
 * begins, so a run happens again exactly.
 */
export type Act = () => void | Promise<void>

export type Agenda = {
  /** Milliseconds since the epoch. */
  now(): number
  /** At that moment, or as soon as possible where it is past; equal moments in the order asked. */
  at(atMs: number, act: Act): void
  /** Lets everything happen up to and including that moment, which it then is. */
  runUntil(atMs: number): Promise<void>
}

type Entry = { readonly atMs: number; readonly turn: number; readonly act: Act }

export function makeAgenda(startMs: number): Agenda {
  let nowMs = startMs
  let turns = 0
  const heap: Entry[] = []
  return {
    now: () => nowMs,
    at: (atMs, act) => {
      turns += 1
      push(heap, { atMs: Math.max(atMs, nowMs), turn: turns, act })
    },
    runUntil: async (atMs) => {
      for (let next = heap[0]; next !== undefined && next.atMs <= atMs; next = heap[0]) {
        pop(heap)
        nowMs = next.atMs
        await next.act()
      }
      nowMs = Math.max(nowMs, atMs)
    },
  }
}

const isBefore = (a: Entry, b: Entry): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn)

/** A binary heap: each entry comes before the two below it. */
function push(heap: Entry[], entry: Entry): void {
  let at = heap.length
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = heap[above]
    if (parent === undefined || isBefore(parent, entry)) break
    heap[at] = parent
    at = above
  }
  heap[at] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    const [one, other] = [heap[left], heap[left + 1]]
    if (one === undefined) break
    const isOther = other !== undefined && isBefore(other, one)
    const child = isOther ? other : one
    if (isBefore(last, child)) break
    heap[at] = child
    at = isOther ? left + 1 : left
  }
  heap[at] = last
}
