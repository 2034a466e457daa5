/**
 * The memory check's work, in a thread of its own: every word of the budget is written and read
 * back, once as a pattern that no two places share and once as its complement, so that each bit has
 * held both values and a crossed address line shows. All of it is held at once: memory that is
 * freed in between is the same memory again.
 */
import { parentPort, workerData } from 'node:worker_threads'

export type MemoryWork = {
  readonly mib: number
  /** Flips one bit half-way between writing and reading. */
  readonly corrupted: boolean
}
export type MemoryResult = {
  readonly seconds: number
  /** Of the first word that was not what was written. */
  readonly wrong?: { readonly atMib: number; readonly bits: string }
}

const WORDS_PER_MIB = 262_144

function pattern(index: number, mask: number): number {
  const word = Math.imul(index ^ (index >>> 15), 0x2c1b3c6d)
  return (word ^ (word >>> 12) ^ mask) >>> 0
}

function write(blocks: readonly Uint32Array[], mask: number): void {
  blocks.forEach((block, at) => {
    const from = at * WORDS_PER_MIB
    for (let i = 0; i < WORDS_PER_MIB; i += 1) block[i] = pattern(from + i, mask)
  })
}

function firstWrong(blocks: readonly Uint32Array[], mask: number): MemoryResult['wrong'] {
  for (const [atMib, block] of blocks.entries()) {
    const from = atMib * WORDS_PER_MIB
    for (let i = 0; i < WORDS_PER_MIB; i += 1) {
      const wanted = pattern(from + i, mask)
      const seen = block[i] ?? 0
      if (seen !== wanted) return { atMib, bits: ((seen ^ wanted) >>> 0).toString(16) }
    }
  }
  return undefined
}

function test({ mib, corrupted }: MemoryWork): MemoryResult {
  const startMs = performance.now()
  const blocks = Array.from({ length: mib }, () => new Uint32Array(WORDS_PER_MIB))
  for (const mask of [0, 0xffffffff]) {
    write(blocks, mask)
    const middle = blocks[blocks.length >> 1]
    if (corrupted && middle !== undefined) middle[4_321] = (middle[4_321] ?? 0) ^ (1 << 7)
    const wrong = firstWrong(blocks, mask)
    if (wrong !== undefined) return { seconds: (performance.now() - startMs) / 1000, wrong }
  }
  return { seconds: (performance.now() - startMs) / 1000 }
}

parentPort?.postMessage(test(workerData as MemoryWork))
