/**
 * What a herd costs beside the machines that carry what is wanted, each thing in a line of its own.
 *
 * The first rule that matches names the line of a machine; one that no rule claims carries work or
 * will. The bound knows nothing of machines that leave, are kept for inspection or are headroom, so
 * those are no part of the fleet that is measured against it. A machine that is tested is: it will
 * carry work. So are the places of replicas beyond those wanted, which a roll-out or a move runs
 * for a while: they are told as what they take of their machines.
 */
import type { Assignment } from '../model/assignment.ts'
import { templateKey } from '../model/assignment.ts'
import type { Node } from '../model/node.ts'
import type { Resources } from '../model/quantities.ts'
import type { PoolItem } from '../model/spec-item.ts'
import type { Draft } from './fold.ts'
import { hasHeadroom, isHeadroomUid } from './provision/headroom.ts'
import { desiredOf, isLeaving } from './replicas.ts'
import { weightOf } from './revision.ts'
import type { Snapshot } from './snapshot.ts'

export type CostLine = 'quarantined' | 'leaving' | 'headroom' | 'testing'

type Seen = {
  readonly node: Node
  readonly assignment: Assignment | undefined
  readonly pool: PoolItem | undefined
}

type Rule = { readonly line: CostLine; readonly when: (seen: Seen) => boolean }

const rules: readonly Rule[] = [
  { line: 'quarantined', when: ({ node }) => node.phase === 'quarantined' },
  { line: 'leaving', when: ({ node }) => isLeaving(node) },
  { line: 'headroom', when: isHeadroom },
  { line: 'testing', when: ({ node }) => node.phase === 'testing' },
]

/** Room that is kept and carries nothing: bought for that, or ready and not told to be needless. */
function isHeadroom({ node, assignment, pool }: Seen): boolean {
  if (pool === undefined || !hasHeadroom(pool)) return false
  if ((assignment?.replicas.length ?? 0) > 0) return false
  if (node.phase === 'ready') return node.emptySinceMs === undefined && assignment !== undefined
  const { boughtFor = [] } = node.claim
  return boughtFor.length > 0 && boughtFor.every(({ uid }) => isHeadroomUid(uid))
}

/** A herd, as it stands or as it will. */
export type Herd = {
  readonly snapshot: Pick<Snapshot, 'pools' | 'workloads'>
  readonly draft: Draft
}

/** By node name; a machine that carries work, or will, has none. */
export function linesOf({ snapshot, draft }: Herd): ReadonlyMap<string, CostLine> {
  const pools = new Map(snapshot.pools.map((pool) => [pool.name, pool]))
  const lines = new Map<string, CostLine>()
  for (const node of draft.nodes.values()) {
    const seen = { node, assignment: draft.assignments.get(node.name), pool: pools.get(node.pool) }
    const line = rules.find(({ when }) => when(seen))?.line
    if (line !== undefined) lines.set(node.name, line)
  }
  return lines
}

/** USD an hour. */
export type CostLines = Readonly<Record<CostLine | 'surge', number>>

/** What the lines come to, machines being priced like this. */
export function costLines(herd: Herd, priceOf: (node: Node) => number): CostLines {
  const lines = linesOf(herd)
  const cost = { quarantined: 0, leaving: 0, headroom: 0, testing: 0 }
  for (const [name, line] of lines) {
    const node = herd.draft.nodes.get(name)
    if (node !== undefined) cost[line] += priceOf(node)
  }
  return { ...cost, surge: surgeCost(herd, { lines, priceOf }) }
}

type Pricing = {
  readonly lines: ReadonlyMap<string, CostLine>
  readonly priceOf: (node: Node) => number
}

/** What replicas beyond those wanted take of their machines, any of a workload being as much so. */
function surgeCost({ snapshot, draft }: Herd, { lines, priceOf }: Pricing): number {
  const wanted = new Map(
    snapshot.workloads
      .filter((own) => own.deletedAtMs === undefined)
      .map((own) => [own.uid, desiredOf(own)] as const),
  )
  const all = new Map<string, { count: number; costUsdPerHour: number }>()
  for (const assignment of draft.assignments.values()) {
    const node = draft.nodes.get(assignment.node)
    if (node === undefined || lines.has(node.name)) continue
    for (const { uid, share } of sharesOf(assignment, node)) {
      const own = all.get(uid) ?? { count: 0, costUsdPerHour: 0 }
      own.count += 1
      own.costUsdPerHour += share * priceOf(node)
      all.set(uid, own)
    }
  }
  let surge = 0
  for (const [uid, { count, costUsdPerHour }] of all) {
    const beyond = count - (wanted.get(uid) ?? count)
    if (beyond > 0) surge += (beyond / count) * costUsdPerHour
  }
  return surge
}

type Share = { readonly uid: string; readonly share: number }

/** The replicas that are to run there, with the part of the machine that each one pays for. */
function sharesOf({ replicas, templates }: Assignment, { machine }: Node): readonly Share[] {
  const running = replicas.filter((own) => own.order === 'run')
  const weights = running.map((own) => {
    const template = templates[templateKey(own)]
    if (template === undefined || machine === undefined) return 1
    return partOf(weightOf(template).need, machine.allocatable)
  })
  const sum = weights.reduce((total, own) => total + own, 0)
  return running.map(({ uid }, i) => ({ uid, share: sum === 0 ? 0 : (weights[i] ?? 0) / sum }))
}

/** Of the resource of which it takes the largest part. */
function partOf(need: Resources, room: Resources): number {
  const part = (own: number, all: number): number => (all === 0 ? 0 : own / all)
  return Math.max(
    part(need.cpuMilli, room.cpuMilli),
    part(need.memoryMib, room.memoryMib),
    part(need.gpuMilli, room.gpuMilli),
  )
}
