/**
 * The `cpu` check: the same long computation on every core at once, against the known answer.
 *
 * One thread a core, all busy together, so the scheduler has nowhere else to put them and the
 * machine is under the load under which weak hardware errs. A wrong digest is FAIL. A thread that
 * could not run or did not end says nothing about the arithmetic: INFRA.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { describeError } from '#shared/base/errors.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import { EXPECTED_DIGEST } from './arithmetic.ts'
import type { CpuResult, CpuWork } from './cpu-worker.ts'

export type CpuCheckOptions = {
  readonly corrupted: boolean
  readonly cores?: number
  readonly runForMs?: number
  readonly timeoutMs?: number
}

/** Never throws. */
export async function checkCpu(options: CpuCheckOptions): Promise<CheckResult> {
  const cores = options.cores ?? availableParallelism()
  const timeoutMs = options.timeoutMs ?? LIMITS.cpuCheckTimeoutMs
  const runForMs = options.runForMs ?? LIMITS.cpuCheckMs
  try {
    const work = (core: number): CpuWork => ({
      runForMs,
      // One bad core among many is the harder case, so it is the one that is tried.
      corrupted: options.corrupted && core === 0,
    })
    const runs = Array.from({ length: cores }, (_, core) => runCore(work(core), timeoutMs))
    return judge(await Promise.all(runs))
  } catch (error) {
    return {
      name: 'cpu',
      verdict: 'INFRA',
      measures: { cores },
      text: describeError(error).slice(0, 500),
    }
  }
}

function judge(results: readonly CpuResult[]): CheckResult {
  const rates = results.map((result) => result.iterationsPerSecond)
  const measures = {
    cores: results.length,
    iterationsPerSecond: rates.reduce((sum, rate) => sum + rate, 0),
    slowestCoreIterationsPerSecond: Math.min(...rates),
  }
  const wrong = results.findIndex(({ digests }) => digests.some((own) => own !== EXPECTED_DIGEST))
  if (wrong < 0) return { name: 'cpu', verdict: 'PASS', measures, text: '' }
  const seen = results[wrong]?.digests.join(', ') ?? ''
  const which = `thread ${String(wrong)} of ${String(results.length)}`
  const text = `${which} computed ${seen} instead of ${EXPECTED_DIGEST}`
  return { name: 'cpu', verdict: 'FAIL', measures, text }
}

function runCore(work: CpuWork, timeoutMs: number): Promise<CpuResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./cpu-worker.ts', import.meta.url), { workerData: work })
    const timer = setTimeout(() => {
      void worker.terminate()
      reject(new Error(`a thread did not end within ${String(timeoutMs)} ms`))
    }, timeoutMs)
    worker.once('message', (result: CpuResult) => {
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
