/**
 * Headroom: spare room that a pool buys and keeps, so that what comes next need not wait for a
 * machine.
 *
 * It is cut into pieces that are placed like replicas, last of all and only in the plan's mind: no
 * node is told of them. So they give way to anybody's work at once, count towards no quota, and
 * whatever they had is bought anew. Where somebody waits at the pool's limit there is none.
 *
 * Source: OpenAI's balloon deployments (`research/lifecycle.md` §1.6).
 */
import { byKey } from '../../base/order.ts'
import { remembered } from '../../base/remembered.ts'
import { sum } from '../../base/sum.ts'
import { LIMITS } from '../../model/limits.ts'
import type { PoolSpec } from '../../model/pool.ts'
import { parseMib, parseMilli } from '../../model/quantities.ts'
import type { PoolItem } from '../../model/spec-item.ts'
import { workloadSpecSchema } from '../../model/workload.ts'
import { put } from '../place/board.ts'
import type { Demand } from '../demand.ts'
import { provision } from '../provision.ts'
import { NO_REPLICAS, runningOf } from '../replicas.ts'
import { revisionOf } from '../revision.ts'
import { plainCourse } from '../rollout/course.ts'
import { slotSuits } from '../place/slot-suits.ts'
import { targetWithin } from '../target.ts'
import type { ClaimDraft } from './claims.ts'
import type { ProvisionContext } from './provision-context.ts'
import { wantsOf, type WantContext } from './wants.ts'

export type Headroom = {
  /** Nodes on which room is kept. */
  readonly used: ReadonlySet<string>
  /** Machines to buy for the rest. */
  readonly claims: readonly ClaimDraft[]
  /** Pieces that have no room and for which nothing can be bought. */
  readonly short: number
}

export type HeadroomContext = WantContext &
  Pick<ProvisionContext, 'limits' | 'ids' | 'weigh' | 'penalty'>

export function hasHeadroom({ spec, deletedAtMs }: PoolItem): boolean {
  return deletedAtMs === undefined && spec.headroom !== undefined
}

/** Of pieces, as the claims remember it that were bought for them. */
export const isHeadroomUid = (uid: string): boolean => uid.startsWith(UID_PREFIX)

const UID_PREFIX = 'headroom-of-'

/** To be asked when everybody else has been served. */
export function keepHeadroom(context: HeadroomContext): Headroom {
  const used = new Set<string>()
  const claims: ClaimDraft[] = []
  let short = 0
  const { snapshot, board, limits } = context
  // Beside work first: what stands empty otherwise need not stand there for this.
  // What a repack empties keeps its spare room until then, and the trial has seen to what follows.
  const open = [...board.slots, ...board.closing]
  const slots = open.toSorted(byKey((own) => (own.replicas > 0 ? 0 : 1)))
  for (const pool of snapshot.pools.filter(hasHeadroom)) {
    if (limits.blocked.has(pool.name)) continue
    const demand = demandOf(pool)
    const found = wantsOf([demand], context)
    for (const slot of slots) {
      for (const want of found.wants) {
        while (want.left > 0 && slotSuits(slot, want)) {
          put(board, slot, demand)
          used.add(slot.node)
          want.left -= 1
        }
      }
    }
    provision({ ...context, ...found }, claims)
    short += sum(found.wants.map((own) => own.left))
  }
  return { used, claims, short }
}

/** The pieces of one pool, as replicas of a workload that there is not. */
const demandOf = remembered((pool: PoolItem): Demand => {
  const { count, resources } = piecesOf(pool.spec.headroom ?? {})
  const spec = workloadSpecSchema.parse({
    ...{ command: ['none'], replicas: count, team: pool.spec.team, resources },
    placement: { pools: [pool.name] },
    tolerations: pool.spec.taints.map(({ key, value }) => ({ key, value })),
  })
  const { uid, createdAtMs, updatedAtMs } = pool
  const workload = {
    ...({ kind: 'spec', noun: 'workload', generation: 1, spec } as const),
    ...{ name: `headroom-of-${pool.name}`, uid: `${UID_PREFIX}${uid}`, createdAtMs, updatedAtMs },
  }
  const counted = { course: plainCourse(workload), running: runningOf(NO_REPLICAS), stopping: 0 }
  const target = targetWithin({ ...counted, nowMs: 0 }, { allowed: count, guaranteed: count })
  return {
    ...{ target, count, ...revisionOf(spec) },
    ...{ capacity: 'any', spotPoolCap: Infinity, isBorrowed: false, mayBuy: true },
    isTrial: false,
  }
})

type Pieces = {
  readonly count: number
  readonly resources: { readonly cpu: string; readonly memory: string; readonly gpu: string }
}

/** A piece is one GPU, or else one CPU, or else a GiB, with its part of the rest. */
function piecesOf({ cpu, memory, gpu }: NonNullable<PoolSpec['headroom']>): Pieces {
  const cpuMilli = cpu === undefined ? 0 : (parseMilli(cpu) ?? 0)
  const memoryMib = memory === undefined ? 0 : (parseMib(memory) ?? 0)
  const gpus = Math.ceil((gpu === undefined ? 0 : (parseMilli(gpu) ?? 0)) / 1000)
  const cpus = Math.min(LIMITS.headroomPiecesMax, Math.ceil(cpuMilli / 1000))
  const gibs = Math.min(LIMITS.headroomPiecesMax, Math.ceil(memoryMib / 1024))
  const count = [gpus, cpus, gibs].find((own) => own > 0) ?? 0
  const each = Math.max(1, count)
  return {
    count,
    resources: {
      cpu: `${String(Math.ceil(cpuMilli / each))}m`,
      memory: `${String(Math.ceil(memoryMib / each))}Mi`,
      gpu: gpus > 0 ? '1' : '0',
    },
  }
}
