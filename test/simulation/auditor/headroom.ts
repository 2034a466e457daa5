/**
 * Headroom: once the herd is whole, a pool keeps the room free that it promises, and no more.
 *
 * The auditor cuts the room into pieces itself and counts how many would fit on machines as they
 * stand. Where somebody waits at the pool's limit nothing may be kept for nobody.
 */
import { catalog } from '#shared/catalog/catalog.ts'
import { templateKey } from '#shared/model/assignment.ts'
import type { Node } from '#shared/model/node.ts'
import { parseMib, parseMilli } from '#shared/model/quantities.ts'
import type { PoolItem } from '#shared/model/spec-item.ts'
import { workloadSpecSchema, type WorkloadSpec } from '#shared/model/workload.ts'
import { keys } from '#shared/store/keys.ts'
import { makeBuyable } from './buyable.ts'
import { statusOf } from './items.ts'
import { limitsOf, needOf, roomOf, shapeOfType, ZERO } from './needs.ts'
import { takenBy } from './past-use.ts'
import { isBeyond } from './quotas.ts'
import type { Knowledge, Rule } from './rule.ts'
import { holdsOne, poolBuys } from './suits.ts'

export type HeadroomKept = {
  /** The pool needs this empty machine for the room that it promises. */
  needs(node: Node): boolean
}

/** To be asked anew once time has passed. */
export function headroomKept(knowledge: Knowledge): HeadroomKept {
  const { books } = knowledge
  return {
    needs: (node) => {
      const pool = books.pools.get(node.pool)
      if (pool === undefined || !promises(pool) || isShort(pool, knowledge)) return false
      const { spec, count } = piecesOf(pool)
      const busy = openNodes(pool, knowledge).filter((own) => !isEmpty(own, knowledge))
      return piecesOn(busy, spec, knowledge) < count
    },
  }
}

export function makeHeadroom(knowledge: Knowledge): Rule {
  const { books } = knowledge
  return {
    unsettled: () => {
      const buyable = makeBuyable(knowledge)
      return [...books.pools.values()].flatMap((pool) => {
        if (!promises(pool) || isShort(pool, knowledge) || isInMotion(pool, knowledge)) return []
        const { spec, count } = piecesOf(pool)
        const kept = piecesOn(openNodes(pool, knowledge), spec, knowledge)
        if (kept >= count) return []
        const where = buyable.where(spec)
        if (where === undefined) return []
        const short = `${String(kept)} of ${String(count)} pieces of headroom`
        return [`headroom: pool ${pool.name} keeps ${short}, and there is ${where}`]
      })
    },
  }
}

const promises = ({ spec, deletedAtMs }: PoolItem): boolean =>
  spec.headroom !== undefined && deletedAtMs === undefined

/** Somebody is told to wait for the pool's limit, and would fit below it if all else were gone. */
function isShort(pool: PoolItem, { truth, books }: Knowledge): boolean {
  const { name } = pool
  return [...books.workloads.values()].some((workload) => {
    if (!mayEverHold(pool, workload.spec)) return false
    const status = statusOf(truth.get(keys.status('workload', workload.name)))
    const reasons = status?.waiting.flatMap((own) => own.reasons) ?? []
    return reasons.some(({ code, text }) => code === 'PoolLimit' && text.includes(`pool ${name} `))
  })
}

function mayEverHold(pool: PoolItem, spec: WorkloadSpec): boolean {
  const limits = limitsOf(pool)
  return catalog.some(
    (type) =>
      poolBuys(pool.spec, type) &&
      holdsOne(type, spec) &&
      !isBeyond(shapeOfType(type.name) ?? ZERO, limits),
  )
}

/** A repack exchanges its machines: room there is nobody's for a while. */
function isInMotion({ name }: PoolItem, { books }: Knowledge): boolean {
  return [...books.nodesOfPool(name)].some((own) => own.repack !== undefined)
}

const openNodes = ({ name }: PoolItem, { books }: Knowledge): readonly Node[] =>
  [...books.nodesOfPool(name)].filter(
    ({ phase, cordoned, closed, drain, lostSinceMs, rebalanceAtMs }) =>
      phase === 'ready' &&
      !cordoned &&
      closed !== true &&
      drain === undefined &&
      lostSinceMs === undefined &&
      // What EC2 is likely to take back soon is given nothing new.
      rebalanceAtMs === undefined,
  )

const isEmpty = ({ machine }: Node, { books }: Knowledge): boolean =>
  (books.bodies.get(machine?.arn ?? '')?.replicas.length ?? 0) === 0

type Pieces = { readonly count: number; readonly spec: WorkloadSpec }

/** A piece is a GPU, or else a CPU, or else a GiB, with its part of the rest. */
function piecesOf({ name, spec: { headroom = {}, taints, team } }: PoolItem): Pieces {
  const cpuMilli = parseMilli(headroom.cpu ?? '0') ?? 0
  const memoryMib = parseMib(headroom.memory ?? '0') ?? 0
  const gpuMilli = parseMilli(headroom.gpu ?? '0') ?? 0
  const counts = [gpuMilli / 1000, cpuMilli / 1000, memoryMib / 1024].map(Math.ceil)
  const count = counts.find((own) => own > 0) ?? 1
  const resources = {
    cpu: `${String(Math.ceil(cpuMilli / count))}m`,
    memory: `${String(Math.ceil(memoryMib / count))}Mi`,
    gpu: gpuMilli > 0 ? '1' : '0',
  }
  const tolerations = taints.map(({ key, value }) => ({ key, value }))
  const placement = { pools: [name] }
  const asked = { command: ['none'], resources, tolerations, placement, team }
  return { count, spec: workloadSpecSchema.parse(asked) }
}

function piecesOn(
  nodes: readonly Node[],
  spec: WorkloadSpec,
  { books }: Pick<Knowledge, 'books'>,
): number {
  const need = needOf(spec)
  return nodes.reduce((sum, { machine }) => {
    if (machine === undefined) return sum
    const body = books.bodies.get(machine.arn)
    const bound = body?.replicas ?? []
    const used = takenBy(bound.map((own) => ({ template: body?.templates[templateKey(own)] })))
    const room = roomOf(machine)
    const busy = new Set(bound.flatMap((own) => own.gpus.map(({ index }) => index)))
    const fits = [
      fitting(room.cpuMilli - used.cpuMilli, need.cpuMilli),
      fitting(room.memoryMib - used.memoryMib, need.memoryMib),
      fitting(room.diskMib - used.diskMib, need.diskMib),
      fitting(room.gpuMilli - 1000 * busy.size, need.gpuMilli),
    ]
    return sum + Math.max(0, Math.min(...fits))
  }, 0)
}

const fitting = (free: number, need: number): number =>
  need === 0 ? Infinity : Math.floor(free / need)
