/**
 * The `cpu` check: the same long computation on every core at once, against the known answer.
 *
 * One thread a core, all busy together, so the scheduler has nowhere else to put them and the
 * machine is under the load under which weak hardware errs. A wrong digest is FAIL. A thread that
 * could not run or did not end says nothing about the arithmetic: INFRA.
 */
import { availableParallelism } from 'node:os'
import type { CheckOf } from '#shared/model/burn-in.ts'
import { couldNot, found, type Finding } from '../../checks/finding.ts'
import { EXPECTED_DIGEST } from './arithmetic.ts'
import type { CpuResult, CpuWork } from './cpu-worker.ts'
import { runThread } from './threads.ts'

/** Never throws. */
export async function checkCpu(
  spec: Pick<CheckOf<'cpu'>, 'seconds' | 'timeoutSeconds'>,
  corrupted: boolean,
): Promise<Finding> {
  const cores = availableParallelism()
  const timeoutMs = spec.timeoutSeconds * 1000
  const file = new URL('./cpu-worker.ts', import.meta.url)
  const runs = Array.from({ length: cores }, (_, core) => {
    // One bad core among many is the harder case, so it is the one that is tried.
    const work: CpuWork = { runForMs: spec.seconds * 1000, corrupted: corrupted && core === 0 }
    return runThread<CpuResult>({ file, work, timeoutMs })
  })
  try {
    return judge(await Promise.all(runs))
  } catch (error) {
    return couldNot(error, { cores })
  }
}

function judge(results: readonly CpuResult[]): Finding {
  const rates = results.map((result) => result.iterationsPerSecond)
  const measures = {
    cores: results.length,
    iterationsPerSecond: rates.reduce((sum, rate) => sum + rate, 0),
    slowestCoreIterationsPerSecond: Math.min(...rates),
  }
  const wrong = results.findIndex(({ digests }) => digests.some((own) => own !== EXPECTED_DIGEST))
  if (wrong < 0) return found('PASS', '', measures)
  const seen = results[wrong]?.digests.join(', ') ?? ''
  const which = `thread ${String(wrong)} of ${String(results.length)}`
  return found('FAIL', `${which} computed ${seen} instead of ${EXPECTED_DIGEST}`, measures)
}
