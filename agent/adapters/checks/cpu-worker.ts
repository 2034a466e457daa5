/**
 * One core's share of the cpu check, in a thread of its own: blocks of arithmetic until the time is
 * up, but two at least, because a fault that comes and goes shows only in repetition.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { arithmeticDigest, BLOCK_ITERATIONS } from './arithmetic.ts'

export type CpuWork = { readonly runForMs: number; readonly corrupted: boolean }
export type CpuResult = {
  /** Every digest that came up, without repetition. */
  readonly digests: readonly string[]
  readonly iterationsPerSecond: number
}

const { runForMs, corrupted } = workerData as CpuWork
const digests = new Set<string>()
const startMs = performance.now()
let blocks = 0
while (blocks < 2 || performance.now() - startMs < runForMs) {
  digests.add(arithmeticDigest(BLOCK_ITERATIONS, corrupted))
  blocks += 1
}
const seconds = (performance.now() - startMs) / 1000
const result: CpuResult = {
  digests: [...digests],
  iterationsPerSecond: Math.round((blocks * BLOCK_ITERATIONS) / seconds),
}
parentPort?.postMessage(result)
