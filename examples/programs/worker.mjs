/* eslint no-console: off */
/**
 * A worker as one would put behind a queue: takes a job, does it, says so, takes the next.
 *
 * On SIGTERM it finishes the job at hand and exits, so no work is lost and none is done twice.
 */
import { setTimeout as sleep } from 'node:timers/promises'

const replica = process.env.DROVER_REPLICA_ID ?? 'none'
const jobMs = Number(process.env.JOB_MS ?? 500)
let stopping = false

process.once('SIGTERM', () => {
  stopping = true
  console.log(`${replica} was asked to stop`)
})

console.log(`${replica} begins`)
for (let job = 1; !stopping; job += 1) {
  await sleep(jobMs)
  console.log(`${replica} finished job ${job}`)
}
console.log(`${replica} ends with nothing half done`)
