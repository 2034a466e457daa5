/** A replica as the API shows it: what was ordered counts as soon as it is ordered. */
import { describe, expect, it } from 'vitest'
import type { NodeFinding } from '#shared/model/health.ts'
import { nodeConditions, replicaAnswer } from '#shared/controllers/admin-api/answers.ts'

type View = Parameters<typeof replicaAnswer>[1]
type Bound = Parameters<typeof replicaAnswer>[0]

const bound = (order: Bound['order']): Bound => ({
  ...{ id: 'web/1-1', workload: 'web', uid: 'u', version: 'v', gpus: [], order },
  ...{ graceSeconds: 10, assignedAtMs: 0 },
})
const view = (phase: 'ready' | 'gone'): View => {
  const replica = { id: 'web/1-1', version: 'v', phase, ready: phase === 'ready', restarts: 0 }
  const report = { replicas: [{ ...replica, addresses: {} }] }
  return { node: { name: 'general-1-1' }, report } as unknown as View
}

it.each([
  ['run', 'ready', { ready: true, phase: 'ready' }],
  ['stop', 'ready', { ready: false, phase: 'stopping' }],
  ['stop', 'gone', { ready: false, phase: 'gone' }],
] as const)('ordered to %s and reported %s', (order, phase, shown) => {
  expect(replicaAnswer(bound(order), view(phase))).toMatchObject(shown)
})

describe('what an agent has found', () => {
  const finding = (
    reason: string,
    sinceMs: number,
    rest: Partial<NodeFinding> = {},
  ): NodeFinding => ({
    ...{ reason, text: `it tells of ${reason}`, times: 1, sinceMs },
    ...rest,
  })
  const conditions = (health: readonly NodeFinding[], admittedAtMs = 0): string[] => {
    const node = { phase: 'ready', phaseSinceMs: 0, burnIn: { admittedAtMs }, health } as unknown
    return nodeConditions(node as Parameters<typeof nodeConditions>[0])
      .slice(1)
      .map(({ type, status, reason, text, sinceMs }) =>
        [type, String(status), reason, String(sinceMs), text].join(' '),
      )
  }

  it('is a condition for each sort, in the words of the worst', () => {
    const disk = [finding('DiskReset', 5), finding('DiskError', 9)]
    expect(conditions([...disk, finding('DiskNearlyFull', 7), finding('FluxLow', 8)])).toEqual([
      'StorageReady false DiskError 5 it tells of DiskError; DiskReset: it tells of DiskReset',
      'DiskPressure true DiskNearlyFull 7 it tells of DiskNearlyFull',
      'UnknownProblem true FluxLow 8 it tells of FluxLow',
    ])
  })

  it('is not told once it is over, and says when a test has cleared it', () => {
    const gone = finding('ClockOff', 5, { goneSinceMs: 6 })
    expect(conditions([gone, finding('KernelFault', 9)], 10)).toEqual([
      'KernelReady false KernelFault 9 it tells of KernelFault (it has passed a test since)',
    ])
  })
})
