/**
 * Work in a thread of its own, with a hard end.
 */
import { Worker } from 'node:worker_threads'

export type ThreadRun = {
  readonly file: URL
  readonly work: unknown
  readonly timeoutMs: number
}

/** Its one message; throws when it ends without one, or does not end in time. */
export function runThread<Result>({ file, work, timeoutMs }: ThreadRun): Promise<Result> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData: work })
    const timer = setTimeout(() => {
      void worker.terminate()
      reject(new Error(`a thread did not end within ${String(timeoutMs)} ms`))
    }, timeoutMs)
    worker.once('message', (result: Result) => {
      clearTimeout(timer)
      resolve(result)
    })
    worker.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    worker.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(`a thread ended with ${String(code)} before its answer`))
    })
  })
}
