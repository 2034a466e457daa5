/**
 * The computation that every core must get right: a long chain in which each result feeds the next,
 * so that one wrong bit anywhere changes the end.
 *
 * Integers go through multiplication, shifts and rotations; doubles through the four operations and
 * the square root, all of which IEEE 754 defines to the last bit. So the right answer is the same
 * on every healthy processor, and is known beforehand.
 */

export const BLOCK_ITERATIONS = 200_000

/** What a block comes to on a healthy core; computed a second time, in Python, to be sure. */
export const EXPECTED_DIGEST = '3521823b-3fddcc6fc12d7d08'

/**
 * One block. A corrupted one has a single bit flipped half-way, as a bad adder or a bad register
 * would.
 */
export function arithmeticDigest(iterations: number, corrupted = false): string {
  let word = 0x9e3779b9 | 0
  let real = 0.5
  const badAt = corrupted ? iterations >> 1 : -1
  for (let round = 0; round < iterations; round += 1) {
    word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d) + round
    word = ((word << 13) | (word >>> 19)) ^ (word >>> 7)
    if (round === badAt) word ^= 1 << 11
    // The logistic map at its wildest: an error in the last bit fills the whole number in 50
    // rounds.
    real = 3.99 * real * (1 - real)
    real = Math.sqrt(real * real + (word & 1023) / 4096) / 1.25
    if (real >= 1) real -= 0.75
  }
  const bits = new DataView(new ArrayBuffer(8))
  bits.setFloat64(0, real)
  const high = bits.getUint32(0).toString(16).padStart(8, '0')
  const low = bits.getUint32(4).toString(16).padStart(8, '0')
  return `${(word >>> 0).toString(16).padStart(8, '0')}-${high}${low}`
}
