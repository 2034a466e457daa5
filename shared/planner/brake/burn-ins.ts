/**
 * What burn-ins leave the buying with: makes that are bought one at a time, pools that buy nothing.
 *
 * `makes.ts` and `failed.ts` hold the two rules. Their memory is the pool's brake item, which
 * stands as it is as long as no burn-in ends and no time is up.
 */
import { groupBy } from '../../base/order.ts'
import type { Brake } from '../../model/facts.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Reason } from '../../model/status.ts'
import type { Action, Notice } from '../actions.ts'
import { poolsByName } from '../facts.ts'
import type { Snapshot } from '../snapshot.ts'
import { capOn, failedOf } from './failed.ts'
import { COMING, makeKey, makeOfMachine } from './make.ts'
import {
  describeDoubt,
  endingsOf,
  makesOf,
  type Ending,
  type MakeContext,
  type MakeState,
} from './makes.ts'

/** A make whose machines are bought one at a time. */
export type Doubt = {
  readonly pool: string
  /** The one that may come is the one that was bought since. */
  readonly sinceMs: number
  readonly reason: Reason
}

export type Buying = {
  /** By key of the make. */
  readonly doubts: ReadonlyMap<string, Doubt>
  /** By pool: why nothing is bought for it. */
  readonly caps: ReadonlyMap<string, Reason>
}

export type BurnIns = {
  readonly buying: Buying
  readonly reasons: readonly { readonly pool: string; readonly reason: Reason }[]
  readonly notices: readonly Notice[]
  readonly endsMs: readonly number[]
  /** By pool, where anything is or was remembered. */
  readonly books: ReadonlyMap<string, Pick<Brake, 'makes' | 'failed'>>
}

type PoolBurnIns = {
  readonly pool: string
  readonly makes: readonly MakeState[]
  readonly book: Pick<Brake, 'makes' | 'failed'>
  readonly cap: Reason | undefined
}

/** `releasedUntilMs`: until when a person has lifted the brakes of a pool. */
export function settleBurnIns(
  snapshot: Snapshot,
  actions: readonly Action[],
  releasedUntilMs: (pool: string) => number | undefined,
): BurnIns {
  const endings = groupBy(endingsOf(snapshot, actions), (own) => own.node.pool)
  const known = new Map(snapshot.brakes.map((own) => [own.pool, own]))
  const remembering = snapshot.brakes.filter((own) => own.makes ?? own.failed)
  const pools = new Set([...remembering.map((own) => own.pool), ...endings.keys()])
  const settled = [...pools].map((pool) => {
    const remembered = { pool, known: known.get(pool), endings: endings.get(pool) ?? [] }
    return settlePool(snapshot, remembered, releasedUntilMs(pool))
  })
  const doubts = settled.flatMap(({ makes }) => makes.flatMap((own) => doubtOf(own) ?? []))
  const caps = settled.flatMap(({ pool, cap }) => (cap === undefined ? [] : { pool, reason: cap }))
  return {
    buying: {
      doubts: new Map(doubts.map(({ key, ...own }) => [key, own])),
      caps: new Map(caps.map(({ pool, reason }) => [pool, reason])),
    },
    reasons: [...doubts.map(({ pool, reason }) => ({ pool, reason })), ...caps],
    notices: settled.flatMap(({ pool, makes }) =>
      makes.flatMap(({ news }) =>
        news === undefined ? [] : { object: `pool/${pool}`, reason: news },
      ),
    ),
    endsMs: [
      ...settled.flatMap(({ makes }) => makes.flatMap((own) => own.endsMs ?? [])),
      ...caps.flatMap(({ reason }) => reason.atMs ?? []),
    ],
    books: new Map(settled.map(({ pool, book }) => [pool, book])),
  }
}

type Remembered = {
  readonly pool: string
  readonly known: Brake | undefined
  readonly endings: readonly Ending[]
}

function settlePool(
  snapshot: Snapshot,
  { pool, known, endings }: Remembered,
  releasedUntilMs: number | undefined,
): PoolBurnIns {
  const { nowMs } = snapshot
  const memory = { known: known?.makes ?? [], endings }
  const isOnTrial = openTrials(snapshot, pool)
  const makes = makesOf(pool, memory, { nowMs, releasedUntilMs, isOnTrial })
  const records = makes.flatMap(({ record }) => record ?? [])
  const failed = failedOf(known?.failed ?? [], { endings, nowMs })
  const isFree = releasedUntilMs !== undefined || failed.length <= LIMITS.makeFailuresLeast
  return {
    ...{ pool, makes },
    book: {
      ...(records.length === 0 ? {} : { makes: records }),
      ...(failed.length === 0 ? {} : { failed: [...failed] }),
    },
    cap: isFree ? undefined : capOn(failed, herdOf(snapshot, pool)),
  }
}

/** A claim may become whatever is tried, and is given up soon where it becomes nothing. */
function openTrials({ nodes, pools }: Snapshot, name: string): MakeContext['isOnTrial'] {
  const pool = poolsByName(pools).get(name)
  return (make, sinceMs) =>
    nodes.some(
      (node) =>
        node.pool === name &&
        node.createdAtMs >= sinceMs &&
        COMING.includes(node.phase) &&
        (node.machine === undefined ||
          makeKey(makeOfMachine(node, node.machine, pool)) === makeKey(make)),
    )
}

function herdOf({ pools, nodes }: Snapshot, name: string): Parameters<typeof capOn>[1] {
  const pool = poolsByName(pools).get(name)
  return { name, pool, nodes: nodes.filter((own) => own.pool === name) }
}

function doubtOf({ make, record }: MakeState): (Doubt & { readonly key: string }) | undefined {
  if (record?.trippedAtMs === undefined) return undefined
  const reason = { code: 'BrakeApplied', text: describeDoubt(make, record) }
  return { key: makeKey(make), pool: make.pool, sinceMs: record.trippedAtMs, reason }
}
