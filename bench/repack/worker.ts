/**
 * Runs herds in a thread of its own, one after the other, and says on the way how far it has come.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { Replica } from '../packing/data.ts'
import { runHerd, type Job, type Row } from './run.ts'
import { lineOf } from './report.ts'

const shapes = workerData as readonly Replica[]

const port = parentPort
port?.on('message', (job: Job) => {
  const note = (hours: number, row: Row | undefined): void => {
    if (row === undefined || hours === job.days * 24) return
    process.stderr.write(`${String(hours).padStart(4)} h ${lineOf(row)}\n`)
  }
  runHerd(job, shapes, note).then(
    (row) => {
      port.postMessage({ row })
    },
    (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      port.postMessage({ broken: { job, text } })
    },
  )
})
