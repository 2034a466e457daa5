/**
 * Work on all cores, for benches and the simulator: a job at a time to whichever thread is free.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

export type Pool<Job, Answer> = {
  readonly jobs: readonly Job[]
  /** The thread's module; it answers each message with one of its own. */
  readonly module: URL
  readonly onAnswer: (answer: Answer, done: number) => void
  readonly data?: unknown
  /** True when nobody needs the rest. */
  readonly isEnough?: () => boolean
}

/** Resolves when every job has been answered, or enough is known. */
export async function runPool<Job, Answer>(pool: Pool<Job, Answer>): Promise<void> {
  const { jobs, module, onAnswer } = pool
  let next = 0
  let done = 0
  const isOver = (): boolean => next >= jobs.length || (pool.isEnough?.() ?? false)
  const runThread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(module, { workerData: pool.data })
      const give = (): void => {
        if (isOver()) {
          void worker.terminate().then(() => {
            resolve()
          })
          return
        }
        worker.postMessage(jobs[next])
        next += 1
      }
      worker.on('message', (answer: Answer) => {
        done += 1
        onAnswer(answer, done)
        give()
      })
      worker.on('error', reject)
      give()
    })
  const threads = Math.min(availableParallelism(), jobs.length)
  await Promise.all(Array.from({ length: threads }, runThread))
}
