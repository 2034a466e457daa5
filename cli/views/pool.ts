/**
 * Pools and teams as rows: what may be bought, and who is guaranteed what.
 */
import type { PoolObject, TeamObject } from '#shared/protocol/api.ts'
import { troubles } from '../render/conditions.ts'
import { formatUsdPerHour } from '../render/money.ts'
import { formatAmounts, formatBytes, formatUnits } from '../render/quantities.ts'
import type { Cell, Column } from '../render/table.ts'

function poolState({ status }: PoolObject): Cell {
  if (status.deleting === true) return { text: 'deleting', colour: 'yellow' }
  const found = troubles(status.conditions)
  return found === '' ? { text: 'ok', colour: 'green' } : { text: found, colour: 'red' }
}

export function poolLimits({ spec }: PoolObject): string {
  const { costPerHour, ...amounts } = spec.limits
  const cost = costPerHour === undefined ? '' : formatUsdPerHour(costPerHour)
  return [formatAmounts(amounts), cost].filter(Boolean).join(', ')
}

export function poolMachines({ spec }: PoolObject): string {
  const { families, types } = spec.instances
  return [...(types ?? []), ...(families ?? [])].join(' ') || 'any'
}

const requestedGpu = (gpu: string): string => (gpu === '0' ? '' : formatUnits(gpu))

export const poolColumns: readonly Column<PoolObject>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'STATE', of: poolState },
  { title: 'NODES', of: ({ status }) => String(status.nodes), align: 'right' },
  { title: 'CPU', of: ({ status }) => formatUnits(status.requested.cpu), align: 'right' },
  { title: 'MEMORY', of: ({ status }) => formatBytes(status.requested.memory), align: 'right' },
  { title: 'GPU', of: ({ status }) => requestedGpu(status.requested.gpu), align: 'right' },
  { title: 'CAPACITY', of: ({ spec }) => spec.capacityTypes.join(' ') },
  { title: 'TEAM', of: ({ spec }) => spec.team ?? '' },
  { title: 'LIMITS', of: poolLimits },
  { title: 'MACHINES', of: poolMachines, shrink: true },
]

/** Amounts in which there is anything. */
export const usedOf = ({ cpu, memory, gpu }: TeamObject['status']['used']): string =>
  formatAmounts(
    Object.fromEntries(Object.entries({ cpu, memory, gpu }).filter(([, own]) => own !== '0')),
  )

export const teamColumns: readonly Column<TeamObject>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'STATE', of: ({ status }) => (status.deleting === true ? 'deleting' : 'ok') },
  { title: 'QUOTA', of: ({ spec }) => formatAmounts(spec.quota) },
  { title: 'USED', of: ({ status }) => usedOf(status.used) },
  { title: 'BORROWED', of: ({ status }) => usedOf(status.borrowed) },
  { title: 'SHORT', of: ({ status }) => usedOf(status.short) },
  { title: 'BORROW', of: ({ spec }) => spec.borrow },
  { title: 'LEND', of: ({ spec }) => formatAmounts(spec.lend ?? {}) },
]
