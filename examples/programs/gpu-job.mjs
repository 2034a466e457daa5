/* eslint no-console: off */
/**
 * Stands in for a training job: says which GPUs it was given, then computes for ever in small
 * slices.
 */
import { setTimeout as sleep } from 'node:timers/promises'

const replica = process.env.DROVER_REPLICA_ID ?? 'none'
const sliceMs = Number(process.env.SLICE_MS ?? 5)
const pauseMs = Number(process.env.PAUSE_MS ?? 200)
let stopping = false

process.once('SIGTERM', () => {
  stopping = true
})

console.log(`${replica} has CUDA_VISIBLE_DEVICES=${process.env.CUDA_VISIBLE_DEVICES ?? ''}`)
let steps = 0
let value = 0.5
for (let slice = 1; !stopping; slice += 1) {
  const endMs = performance.now() + sliceMs
  while (performance.now() < endMs) {
    for (let inner = 0; inner < 1000; inner += 1) value = 3.99 * value * (1 - value)
    steps += 1000
  }
  if (slice % 25 === 0) console.log(`${replica} step ${steps} value ${value.toFixed(6)}`)
  await sleep(pauseMs)
}
console.log(`${replica} stops at step ${steps}`)
