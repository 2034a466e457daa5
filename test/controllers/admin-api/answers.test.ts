/** A replica as the API shows it: what was ordered counts as soon as it is ordered. */
import { expect, it } from 'vitest'
import { replicaAnswer } from '#shared/controllers/admin-api/answers.ts'

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
