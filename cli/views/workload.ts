/**
 * Workloads as rows: is it there, is it new, and if not, why not.
 */
import type { WorkloadObject } from '#shared/protocol/api.ts'
import { mainTrouble } from '../render/conditions.ts'
import type { Colour } from '../render/paint.ts'
import type { Cell, Column } from '../render/table.ts'

type State = { readonly text: string; readonly colour: Colour | undefined }
type Rule = { readonly state: State; readonly when: (workload: WorkloadObject) => boolean }

/** As many replicas of the newest version are ready as are wanted. */
export const isSettled = ({ generation, status }: WorkloadObject): boolean =>
  status.observedGeneration >= generation &&
  status.ready >= status.desired &&
  // Who went back from the newest version does not want it.
  (status.rollout?.undone !== undefined || status.updated >= status.desired) &&
  // Of the ready some may be old ones: an older server does not tell them apart.
  (status.rollout?.ready ?? status.ready) >= status.desired

/** Settled, and nothing older runs any more. */
export const isComplete = (workload: WorkloadObject): boolean =>
  isSettled(workload) &&
  workload.status.deleting !== true &&
  (workload.status.rollout?.old ?? 0) === 0

const holds = ({ status }: WorkloadObject, type: string, value: boolean): boolean =>
  status.conditions.some((own) => own.type === type && own.status === value)

/** The first rule that holds names the state. */
const rules: readonly Rule[] = [
  { state: { text: 'deleting', colour: 'yellow' }, when: ({ status }) => status.deleting === true },
  // Numbers of an older spec say nothing of this one.
  {
    state: { text: 'pending', colour: 'dim' },
    when: ({ generation, status }) => status.observedGeneration < generation,
  },
  {
    state: { text: 'off', colour: 'dim' },
    when: ({ status }) => status.desired === 0 && status.running === 0,
  },
  { state: { text: 'ready', colour: 'green' }, when: isSettled },
  {
    state: { text: 'halted', colour: 'red' },
    when: ({ status }) => status.rollout?.failed !== undefined,
  },
  {
    state: { text: 'paused', colour: 'yellow' },
    when: ({ status }) => status.rollout?.paused === true,
  },
  { state: { text: 'stuck', colour: 'red' }, when: (own) => holds(own, 'Progressing', false) },
  { state: { text: 'waiting', colour: 'red' }, when: (own) => holds(own, 'Unschedulable', true) },
  {
    state: { text: 'degraded', colour: 'red' },
    when: (own) => own.status.ready > 0 && holds(own, 'Available', false),
  },
  {
    state: { text: 'starting', colour: 'yellow' },
    when: ({ status }) => status.ready === 0 || status.updated >= status.desired,
  },
]

export function workloadState(workload: WorkloadObject): State {
  const found = rules.find(({ when }) => when(workload))
  return found?.state ?? { text: 'updating', colour: 'yellow' }
}

/** Why it is not what was asked for, in the server's words; empty when it is. */
export function workloadWhy(workload: WorkloadObject): string {
  return isSettled(workload) ? '' : (mainTrouble(workload.status.conditions)?.text ?? '')
}

export const readyShare = ({ status }: WorkloadObject): string =>
  `${String(status.ready)}/${String(status.desired)}`

const readyCell = (workload: WorkloadObject): Cell => ({
  text: readyShare(workload),
  colour: workload.status.ready < workload.status.desired ? 'yellow' : undefined,
})

export const workloadColumns: readonly Column<WorkloadObject>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'STATE', of: workloadState },
  { title: 'READY', of: readyCell, align: 'right' },
  { title: 'UPDATED', of: ({ status }) => String(status.updated), align: 'right' },
  { title: 'VERSION', of: ({ status }) => status.version },
  { title: 'TEAM', of: ({ spec }) => spec.team ?? '' },
  { title: 'PRIORITY', of: ({ spec }) => String(spec.priority || ''), align: 'right' },
  { title: 'WHY', of: workloadWhy, shrink: true },
]
