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
  /** True when nobody needs the rest, what is under way included. */
  readonly isEnough?: () => boolean
}

/** Resolves when every job has been answered, or enough is known. */
export async function runPool<Job, Answer>(pool: Pool<Job, Answer>): Promise<void> {
  const { jobs, module, onAnswer } = pool
  let next = 0
  let done = 0
  const isEnough = (): boolean => pool.isEnough?.() ?? false
  const enders: (() => void)[] = []
  const runThread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(module, { workerData: pool.data })
      const end = (): void => {
        void worker.terminate().then(() => {
          resolve()
        })
      }
      enders.push(end)
      const give = (): void => {
        if (next >= jobs.length) {
          end()
          return
        }
        worker.postMessage(jobs[next])
        next += 1
      }
      worker.on('message', (answer: Answer) => {
        done += 1
        onAnswer(answer, done)
        if (!isEnough()) give()
        else for (const own of enders) own()
      })
      worker.on('error', reject)
      give()
    })
  const threads = Math.min(availableParallelism(), jobs.length)
  await Promise.all(Array.from({ length: threads }, runThread))
}
