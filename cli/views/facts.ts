/**
 * The facts at the head of a description, one function a kind.
 */
import { entryName, suiteOf } from '#shared/model/burn-in.ts'
import type { NodeAnswer, PoolObject, TeamObject, WorkloadObject } from '#shared/protocol/api.ts'
import type { Paint } from '../render/paint.ts'
import type { Fact, Section } from '../render/page.ts'
import { cpuShare, formatAmounts, gpuShare, memoryShare } from '../render/quantities.ts'
import { table, type Column, type TableStyle } from '../render/table.ts'
import { ageOf, formatDuration, formatInstant, formatTook } from '../render/time.ts'
import { nodePrice, verdictColour } from './node.ts'
import { poolLimits, poolMachines, usedOf } from './pool.ts'
import { scaleFacts } from './scale.ts'
import { readyShare, workloadState, workloadWhy } from './workload.ts'

export function workloadFacts(workload: WorkloadObject, paint: Paint): readonly Fact[] {
  const { spec, status } = workload
  const state = workloadState(workload)
  const { onDemandBase, onDemandPercent, spot } = spec.capacity
  return [
    ['Workload', workload.name],
    ['Team', spec.team],
    ['State', paint(state.text, state.colour)],
    ['Why', workloadWhy(workload)],
    [
      'Replicas',
      [
        `${readyShare(workload)} ready`,
        `${String(status.running)} running`,
        `${String(status.assigned)} assigned`,
        `${String(status.updated)} updated`,
        status.allowed === undefined ? '' : `${String(status.allowed)} allowed by quota`,
      ]
        .filter(Boolean)
        .join(', '),
    ],
    ...scaleFacts(workload),
    ['Version', status.version],
    ['Generation', `${String(workload.generation)} (seen: ${String(status.observedGeneration)})`],
    ['Image', spec.image],
    ['Command', spec.command?.join(' ')],
    ['Resources', formatAmounts(spec.resources)],
    ['Ports', spec.ports.map(portText).join(', ')],
    ['Health', healthText(spec.health)],
    ['Service', spec.service === undefined ? undefined : plainText(spec.service)],
    [
      'Capacity',
      [
        `spot ${spot}`,
        formatAmounts({ 'on-demand base': onDemandBase, 'on-demand percent': onDemandPercent }),
      ]
        .filter(Boolean)
        .join(', '),
    ],
    ['Placement', plainText(spec.placement)],
    ['Tolerates', spec.tolerations.map(keyText).join(', ')],
    ['Availability', plainText(spec.availability)],
    ['Priority', spec.priority === 0 ? undefined : String(spec.priority)],
    ['Grace', secondsText(spec.terminationGraceSeconds)],
  ]
}

const portText = ({
  name,
  containerPort,
}: {
  name: string
  containerPort?: number | undefined
}): string => (containerPort === undefined ? name : `${name} ${String(containerPort)}`)

const keyText = ({ key, value }: { key: string; value?: string | undefined }): string =>
  value === undefined ? key : `${key}=${value}`

function healthText(health: WorkloadObject['spec']['health']): string | undefined {
  if (health === undefined) return undefined
  const every = ` every ${secondsText(health.intervalSeconds)}`
  if (health.http !== undefined) return `http ${health.http.path} on ${health.http.port}${every}`
  if (health.tcp !== undefined) return `tcp on ${health.tcp.port}${every}`
  return `${health.exec?.command.join(' ') ?? ''}${every}`
}

/** `zones us-east-1a us-east-1b, spread zone`: a small object in one line. */
function plainText(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${valueText(value)}`)
    .join(', ')
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(' ')
  return typeof value === 'string' || typeof value === 'number'
    ? String(value)
    : JSON.stringify(value)
}

const secondsText = (seconds: number): string => formatDuration(seconds * 1000)

export function poolFacts(pool: PoolObject): readonly Fact[] {
  const { spec, status } = pool
  const { timeoutSeconds } = suiteOf(spec.burnIn)
  return [
    ['Pool', pool.name],
    ['Team', spec.team],
    ['State', status.deleting === true ? 'deleting' : undefined],
    ['Nodes', String(status.nodes)],
    ['Requested', formatAmounts(status.requested)],
    ['Machines', poolMachines(pool)],
    ['Capacity', spec.capacityTypes.join(', ')],
    ['Zones', spec.zones?.join(', ') ?? 'all'],
    ['Limits', poolLimits(pool)],
    ['Labels', plainText(spec.labels)],
    ['Taints', spec.taints.map(keyText).join(', ')],
    [
      'Burn-in',
      `${spec.burnIn.checks.map(entryName).join(', ')} within ${secondsText(timeoutSeconds)}`,
    ],
    ['Repack', `when ${spec.repack.when}, after ${secondsText(spec.repack.afterSeconds)}`],
    ['Generation', String(pool.generation)],
  ]
}

export function teamFacts({ name, generation, spec, status }: TeamObject): readonly Fact[] {
  return [
    ['Team', name],
    ['State', status.deleting === true ? 'deleting' : undefined],
    ['Quota', formatAmounts(spec.quota)],
    ['Used', usedOf(status.used)],
    ['Borrowed', usedOf(status.borrowed)],
    ['Short', usedOf(status.short)],
    ['Borrow', spec.borrow],
    ['Lend', formatAmounts(spec.lend ?? {})],
    ['Weight', String(spec.weight)],
    ['Principals', spec.principals.join(', ')],
    ['Generation', String(generation)],
  ]
}

function orderText(order: NodeAnswer['order'], nowMs: number): string {
  if (order === undefined) return ''
  const how = order.force ? ' by force' : ''
  const given = `given ${ageOf(order.at, nowMs)} ago`
  return `${order.verb}${how} within ${secondsText(order.deadlineSeconds)}, ${given}`
}

export function nodeFacts(node: NodeAnswer, nowMs: number): readonly Fact[] {
  const { order } = node
  return [
    ['Node', node.name],
    ['Phase', node.phase],
    ['Why', node.reason],
    ['Cordoned', node.cordoned ? 'yes' : undefined],
    ['Order', orderText(order, nowMs)],
    ['Pool', node.pool],
    [
      'Instance',
      [node.instanceType, node.instanceId].filter(Boolean).join(' ') || 'not launched yet',
    ],
    ['Zone', node.zone],
    ['Capacity', `${node.capacityType}, ${nodePrice(node)}`],
    ['CPU', cpuShare(node.requested, node.allocatable)],
    ['Memory', memoryShare(node.requested, node.allocatable)],
    ['GPU', gpuShare(node.requested, node.allocatable)],
    ['Created', `${formatInstant(node.createdAt)}, ${ageOf(node.createdAt, nowMs)} ago`],
    [
      'Burn-in',
      node.burnIn &&
        `${node.burnIn.verdict} (${node.burnIn.suite}) ${ageOf(node.burnIn.at, nowMs)} ago`,
    ],
  ]
}

type Check = NonNullable<NodeAnswer['burnIn']>['checks'][number]

const checkColumns: readonly Column<Check>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'VERDICT', of: ({ verdict }) => ({ text: verdict, colour: verdictColour(verdict) }) },
  { title: 'MEASURES', of: ({ measures }) => measuresText(measures) },
  { title: 'LIMITS', of: ({ limits }) => limitsText(limits ?? {}) },
  { title: 'TIME', of: ({ durationMs }) => timeText(durationMs), align: 'right' },
  { title: 'TEXT', of: ({ text }) => text, shrink: true },
]

/** Measures carry their unit in their name: `writeMibPerSecond 812`. */
const measuresText = (measures: Readonly<Record<string, number>>): string =>
  Object.entries(measures)
    .map(([name, value]) => `${name} ${String(Math.round(value * 100) / 100)}`)
    .join(', ')

type Limits = NonNullable<Check['limits']>

const limitsText = (limits: Limits): string =>
  Object.entries(limits)
    .flatMap(([name, { min, max }]) => [
      ...(min === undefined ? [] : [`${name} ≥ ${String(min)}`]),
      ...(max === undefined ? [] : [`${name} ≤ ${String(max)}`]),
    ])
    .join(', ')

const timeText = (durationMs: number | undefined): string =>
  durationMs === undefined ? '' : formatTook(durationMs)

export function burnInSection({ burnIn }: Pick<NodeAnswer, 'burnIn'>, style: TableStyle): Section {
  const checks = burnIn?.checks ?? []
  return { title: 'Checks', lines: checks.length === 0 ? [] : table(checkColumns, checks, style) }
}
