/**
 * Replicas as rows: where each is, how far it has come, and where it can be called.
 */
import type { ReplicaAnswer } from '#shared/protocol/api.ts'
import type { Colour } from '../render/paint.ts'
import type { Cell, Column } from '../render/table.ts'
import { ageOf } from '../render/time.ts'

const PHASE_COLOURS: Readonly<Record<string, Colour>> = {
  ready: 'green',
  waiting: 'yellow',
  fetching: 'yellow',
  stopping: 'yellow',
  deregistering: 'yellow',
  failed: 'red',
}

export const phaseCell = ({ phase }: Pick<ReplicaAnswer, 'phase'>): Cell => ({
  text: phase,
  colour: PHASE_COLOURS[phase],
})

const restartsCell = ({ restarts }: ReplicaAnswer): Cell => ({
  text: String(restarts),
  colour: restarts > 0 ? 'yellow' : undefined,
})

/** `http=127.0.0.1:41233` */
export const addressesText = ({ addresses }: ReplicaAnswer): string =>
  Object.entries(addresses)
    .map(([port, address]) => `${port}=${address}`)
    .join(' ')

/** `exit 1 40s ago: crashed` */
export function lastExitText({ lastExit }: ReplicaAnswer, nowMs: number): string {
  if (lastExit === undefined) return ''
  const how =
    lastExit.signal ?? (lastExit.code === undefined ? '' : `exit ${String(lastExit.code)}`)
  return [how, `${ageOf(lastExit.at, nowMs)} ago:`, lastExit.reason].filter(Boolean).join(' ')
}

export const replicaColumns = (nowMs: number): readonly Column<ReplicaAnswer>[] => [
  { title: 'ID', of: ({ id }) => id },
  { title: 'WORKLOAD', of: ({ workload }) => workload },
  { title: 'PHASE', of: phaseCell },
  { title: 'NODE', of: ({ node }) => node ?? '' },
  { title: 'RESTARTS', of: restartsCell, align: 'right' },
  { title: 'AGE', of: ({ startedAt }) => ageOf(startedAt, nowMs), align: 'right' },
  { title: 'GPUS', of: ({ gpus }) => gpus.join(',') },
  { title: 'ADDRESS', of: addressesText },
  { title: 'VERSION', of: ({ version }) => version },
  { title: 'LAST EXIT', of: (own) => lastExitText(own, nowMs), shrink: true },
]
