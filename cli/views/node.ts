/**
 * Nodes as rows: what was bought, at what price, how full it is, and whether it may carry work.
 */
import type { NodeAnswer } from '#shared/protocol/api.ts'
import { troubles } from '../render/conditions.ts'
import { formatUsdPerHour } from '../render/money.ts'
import type { Colour } from '../render/paint.ts'
import { cpuShare, gpuShare, memoryShare } from '../render/quantities.ts'
import type { Cell, Column } from '../render/table.ts'
import { ageOf } from '../render/time.ts'

const PHASE_COLOURS: Readonly<Record<string, Colour>> = {
  ready: 'green',
  launching: 'cyan',
  booting: 'cyan',
  testing: 'cyan',
  draining: 'yellow',
  terminating: 'yellow',
  quarantined: 'red',
}

const VERDICT_COLOURS: Readonly<Record<string, Colour>> = {
  PASS: 'green',
  WARN: 'yellow',
  FAIL: 'red',
}

export const verdictColour = (verdict: string): Colour | undefined => VERDICT_COLOURS[verdict]

const TOLD_BY_PHASE: ReadonlySet<string> = new Set(['Ready', 'Draining'])

/** `ready, cordoned, Silent`: the phase, and what else one must know. */
export function nodeState(node: NodeAnswer): Cell {
  const found = troubles(node.conditions.filter(({ type }) => !TOLD_BY_PHASE.has(type)))
  const cordoned = node.cordoned && node.phase !== 'draining' ? 'cordoned' : ''
  return {
    text: [node.phase, cordoned, found].filter(Boolean).join(', '),
    colour: found === '' ? PHASE_COLOURS[node.phase] : 'red',
  }
}

/** Before EC2 has answered, a price is only the most it may become. */
export const nodePrice = ({ priceUsdPerHour, instanceId }: NodeAnswer): string =>
  `${instanceId === undefined ? '≤ ' : ''}${formatUsdPerHour(priceUsdPerHour)}`

function burnInCell({ burnIn }: NodeAnswer): Cell {
  return burnIn === undefined ? '' : { text: burnIn.verdict, colour: verdictColour(burnIn.verdict) }
}

export const nodeColumns = (nowMs: number): readonly Column<NodeAnswer>[] => [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'STATE', of: nodeState },
  { title: 'TYPE', of: ({ instanceType }) => instanceType ?? '' },
  { title: 'ZONE', of: ({ zone }) => zone ?? '' },
  { title: 'CAPACITY', of: ({ capacityType }) => capacityType },
  { title: 'PRICE', of: nodePrice, align: 'right' },
  { title: 'CPU', of: (own) => cpuShare(own.requested, own.allocatable), align: 'right' },
  { title: 'MEMORY', of: (own) => memoryShare(own.requested, own.allocatable), align: 'right' },
  { title: 'GPU', of: (own) => gpuShare(own.requested, own.allocatable), align: 'right' },
  { title: 'REPLICAS', of: ({ replicas }) => String(replicas.length), align: 'right' },
  { title: 'BURN-IN', of: burnInCell },
  { title: 'AGE', of: ({ createdAt }) => ageOf(createdAt, nowMs), align: 'right' },
  { title: 'WHY', of: ({ reason }) => reason ?? '', shrink: true },
]
