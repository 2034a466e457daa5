/**
 * What fails in the herd, and whose fault it is: from the workloads' statuses and what is bound.
 */
import { workloadStatusSchema } from '#shared/model/status.ts'
import { blame, evidenceOf, type Blamed } from '#shared/planner/observe/blame.ts'
import type { FailureAnswer } from '#shared/protocol/why-answers.ts'
import { keys } from '#shared/store/keys.ts'
import { isoOf, type NodeView } from './answers.ts'
import { parseItem, readPartition, type Reader } from './herd.ts'

/** Every version and node that fail together, the whole herd being the witness. */
export async function readBlamed(
  reader: Reader,
  herd: readonly NodeView[],
): Promise<readonly Blamed[]> {
  const items = await readPartition(reader.store, keys.status('workload', '').pk)
  const statuses = items.flatMap((item) => parseItem(reader, workloadStatusSchema, item) ?? [])
  return blame(evidenceOf(herd, statuses))
}

/** As a field of an answer: absent where nothing fails. */
export function failuresField(blamed: readonly Blamed[]): { failures?: FailureAnswer[] } {
  return blamed.length === 0 ? {} : { failures: blamed.map(failureAnswer) }
}

function failureAnswer(own: Blamed): FailureAnswer {
  const { workload, version, node, replicas, count, sinceMs, lastMs } = own
  const times = { since: isoOf(sinceMs), last: isoOf(lastMs) }
  return { workload, version, node, replicas, count, ...times, blame: own.blame }
}
