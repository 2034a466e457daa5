import { expect, it } from 'vitest'
import type { Assignment, BoundReplica } from '#shared/model/assignment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { DrainReason, Node } from '#shared/model/node.ts'
import { drainOverdueAtMs } from '#shared/planner/retire.ts'

const DEADLINE_MS = 1_000_000
const LEAVING_MS = DEADLINE_MS - 60_000

function overdue(reason: DrainReason, balanced: Partial<BoundReplica['balanced']>): number {
  const drain = { reason, text: '', sinceMs: 0, deadlineMs: DEADLINE_MS, generation: 1 }
  const replica = { id: 'web/1-1', graceSeconds: 30, balanced }
  return drainOverdueAtMs(
    { drain } as Partial<Node> as Node,
    { replicas: [replica] } as unknown as Assignment,
  )
}

it('gives a load balancer its time where a drain ends nothing by its deadline', () => {
  const usualMs = DEADLINE_MS + 30_000 + LIMITS.drainOverdueMs
  const leaving = { leavingSinceMs: LEAVING_MS }
  expect(overdue('Repacked', {})).toBe(usualMs)
  expect(overdue('Repacked', leaving)).toBe(usualMs - 60_000 + LIMITS.deregisterMostMs)
  expect(overdue('Interrupted', leaving)).toBe(usualMs)
})
