/**
 * The `memory` check: patterns through a budget of memory. A wrong bit is FAIL; memory that could
 * not be had says nothing of what is there: INFRA.
 */
import type { CheckOf } from '#shared/model/burn-in.ts'
import { couldNot, found, type Finding } from '../../checks/finding.ts'
import type { MemoryResult, MemoryWork } from './memory-worker.ts'
import { runThread } from './threads.ts'

/** Of what is free: the rest of the machine goes on meanwhile. */
const SHARE_MAX = 0.8
const MIB = 1_048_576
/** Both patterns are written and read. */
const PASSES = 4

/** Never throws. */
export async function checkMemory(spec: CheckOf<'memory'>, corrupted: boolean): Promise<Finding> {
  const free = Math.floor((process.availableMemory() * SHARE_MAX) / MIB)
  const mib = Math.max(1, Math.min(spec.mib, free))
  try {
    const work: MemoryWork = { mib, corrupted }
    const file = new URL('./memory-worker.ts', import.meta.url)
    const timeoutMs = spec.timeoutSeconds * 1000
    const { seconds, wrong } = await runThread<MemoryResult>({ file, work, timeoutMs })
    const mibPerSecond = Math.round((PASSES * mib) / Math.max(seconds, 0.001))
    const measures = { testedMib: mib, ...(wrong === undefined ? { mibPerSecond } : {}) }
    if (wrong === undefined) return found('PASS', '', measures)
    const { atMib, bits } = wrong
    const text = `in MiB ${String(atMib)} of ${String(mib)} the bits ${bits} came back wrong`
    return found('FAIL', text, measures)
  } catch (error) {
    return couldNot(error, { testedMib: 0 })
  }
}
