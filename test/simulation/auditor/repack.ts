/**
 * Repack: what is moved to save money does save it, and ends.
 *
 * Judged by what the pass read that ordered the move. The machines bought for it are ready, and who
 * was to move aside has done so; at the prices of that moment the old ones cost more by a share of
 * theirs, and by a cent an hour beyond what the moves are reckoned to cost; and no workload on them
 * lacks anything. From its first mark a group takes no longer than a boot, a burn-in and a drain,
 * and buys nothing a second time. No pool has more nodes on the move than it allows.
 */
import type { Node } from '#shared/model/node.ts'
import type { RepackMark } from '#shared/model/repack.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import type { Caller } from '../traffic.ts'
import { allowedIn, availableIn } from './available.ts'
import { kindOf, nodeOf } from './items.ts'
import type { OpenPass } from './passes.ts'
import { quotasIn } from './quotas-in-use.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan } from './scan.ts'
import { makeSizes } from './sizes.ts'

/** What a pool's machines may take that says nothing, with the checks it has then. */
const DEFAULT_TEST_SECONDS = 300
const RULE = 'repack'
const MOVE_USD = 0.001
const LEAST_USD = 0.01
/** A pass that fails is followed by another within so long. */
const SLACK_MS = 120_000
const DRAIN_MS = 900_000

type Begun = { readonly atMs: number; readonly by: Caller; readonly sinceMs: number }

/** Drained because drover itself thought it better. */
export function isVoluntary({ drain }: Pick<Node, 'drain'>): boolean {
  return drain !== undefined && ['Repacked', 'Expired', 'Drifted'].includes(drain.reason)
}

export function makeRepack({ truth, books, passes }: Knowledge): Rule {
  /** By the pass's label: who is emptied for machines that were not ready when it read. */
  const emptied = new Map<string, { node: string; unready: readonly string[] }[]>()
  /** By group: when its first mark was seen, and who had bought for it then. */
  const begun = new Map<string, Begun>()
  /** By group: when the first of its old machines was drained. */
  const moved = new Map<string, number>()
  const sizes = makeSizes(books.nodes.values())
  /** When the last pass that ended well had begun: while the table is out of reach none does. */
  let lastStartedAtMs = 0

  const judgeMark = (mark: RepackMark, node: Node, by: Caller): string | undefined => {
    const before = begun.get(mark.group)
    // One that came to nothing may be begun anew in the same pass: nothing of it is left then.
    const isNew = before?.sinceMs !== mark.sinceMs && !isLeft(mark)
    const known = isNew ? undefined : before
    if (known === undefined) {
      begun.set(mark.group, { atMs: truth.nowMs(), by, sinceMs: mark.sinceMs })
    }
    if (mark.side === 'retire') return tooManyMove(node)
    if (mark.side === 'stay' || mark.side === 'shift') return undefined
    if (known === undefined || known.by.label === by.label) return undefined
    return `${node.name} is bought for group ${mark.group}, which had its machines before`
  }
  /** A machine that was bought for the group at another time is there still. */
  const isLeft = ({ group, sinceMs }: RepackMark): boolean =>
    [...books.nodes.values()].some(
      ({ repack, phase }) =>
        repack?.group === group && repack.sinceMs !== sinceMs && phase !== 'terminating',
    )
  const tooManyMove = ({ pool }: Node): string | undefined => {
    const budgets = books.pools.get(pool)?.spec.repack.budgets ?? []
    const moving = [...books.nodesOfPool(pool)].filter(
      (own) => own.repack?.side === 'retire' && own.phase !== 'terminating',
    )
    const size = sizes.largest(`pool ${pool}`, truth.nowMs())
    const most = Math.min(
      ...budgets.map(({ nodes }) =>
        typeof nodes === 'number' ? nodes : Math.ceil((parseFloat(nodes) / 100) * size),
      ),
    )
    if (moving.length <= most) return undefined
    const names = moving.map((own) => own.name).join(', ')
    return `pool ${pool} of ${String(size)} lets ${String(most)} nodes move at once: ${names}`
  }
  const forgetOver = (was: Node | undefined): void => {
    const group = was?.repack?.group
    if (group === undefined) return
    const isLive = [...books.nodes.values()].some((own) => own.repack?.group === group)
    if (isLive) return
    begun.delete(group)
    moved.delete(group)
  }
  const judge = ({ before, after }: Change, by: Caller): Breach | undefined => {
    const [was, is] = [nodeOf(before), nodeOf(after)]
    sizes.move(was, is, truth.nowMs())
    forgetOver(was)
    if (is === undefined) return undefined
    const { repack } = is
    const isMarked = repack !== undefined && was?.repack?.group !== repack.group
    const isMoved = isVoluntary(is) && !(was !== undefined && isVoluntary(was))
    if (isMoved && repack !== undefined && !moved.has(repack.group)) {
      moved.set(repack.group, truth.nowMs())
    }
    const text =
      (isMarked ? judgeMark(repack, is, by) : undefined) ??
      (isMoved ? wrongMove(is, passes.of(by)) : undefined)
    const unready = isMoved ? unreadyFor(is, passes.of(by)) : []
    if (unready.length > 0) {
      emptied.set(by.label, [...(emptied.get(by.label) ?? []), { node: is.name, unready }])
    }
    return text === undefined ? undefined : { rule: RULE, text: `${by.label}: ${text}` }
  }
  /** A pass may admit a machine and empty another for it, in any order: judged when it ends. */
  const tooEarly = (by: Caller): Breach | undefined => {
    const pass = passes.of(by)
    return firstOf(emptied.get(by.label) ?? [], ({ node, unready }) => {
      if (pass === undefined || isReadyNow(unready, pass)) return undefined
      const text = `${by.label}: ${node} is emptied, and ${unready.join(', ')} is not ready`
      return { rule: RULE, text }
    })
  }
  const overdue = (by: Caller): Breach | undefined => {
    const startedAtMs = passes.of(by)?.taken?.startedAtMs ?? 0
    const beforeMs = lastStartedAtMs
    lastStartedAtMs = startedAtMs
    // Whoever is being ended is given up: nothing waits for it, and nothing is on it to move.
    const marked = [...books.nodes.values()].filter(
      (own) => own.repack !== undefined && own.phase !== 'terminating',
    )
    const tests = [...books.pools.values()].map(
      (own) => (own.spec.burnIn.timeoutSeconds ?? DEFAULT_TEST_SECONDS) * 1000,
    )
    const comesMs = truth.bootDeadlineMs + Math.max(0, ...tests)
    return firstOf(marked, ({ name, repack }) => {
      const group = repack?.group ?? ''
      const sinceMs = moved.get(group) ?? begun.get(group)?.atMs
      if (sinceMs === undefined) return undefined
      // Who moves aside, for a machine that was bought first, has as long as that again.
      const waitsMs = repack?.shift.length === 0 ? comesMs : comesMs + truth.bootDeadlineMs
      const mostMs = moved.has(group) ? DRAIN_MS : waitsMs
      if (startedAtMs - sinceMs <= mostMs + SLACK_MS || beforeMs - sinceMs <= mostMs)
        return undefined
      const what = moved.has(group) ? 'is being emptied' : 'waits'
      const text = `${name} ${what} for a repack for ${String(startedAtMs - sinceMs)} ms`
      return { rule: RULE, text: `${by.label}: ${text}` }
    })
  }
  return {
    see: {
      write: ({ by, changes }) =>
        by.role === 'reconcile'
          ? firstOf(changes, (own) => (kindOf(own.key) === 'node' ? judge(own, by) : undefined))
          : undefined,
      over: ({ by, how }) => {
        if (by.role !== 'reconcile') return undefined
        const early = how === 'ended' ? tooEarly(by) : undefined
        emptied.delete(by.label)
        return early ?? (how === 'ended' ? overdue(by) : undefined)
      },
    },
  }
}

/** Machines of the group that were not ready when the pass read of them. */
function unreadyFor({ repack }: Node, pass: OpenPass | undefined): readonly string[] {
  const scan = pass?.scan
  if (repack === undefined || scan === undefined) return []
  return repack.launch.filter((name) => {
    const bought = scan.node(name)
    if (bought?.phase === 'ready') return false
    // Who moved aside may have had no use for what was bought for that, and it has ended.
    const isOver = bought?.phase === 'terminating' || bought?.drain !== undefined
    return !(repack.shift.length > 0 && (bought === undefined || isOver))
  })
}

/** What is wrong with emptying the node's group now. */
function wrongMove({ name, repack, drain }: Node, pass: OpenPass | undefined): string | undefined {
  const scan = pass?.scan
  if (repack === undefined) return `${name} is drained (${String(drain?.reason)}) without a group`
  if (pass === undefined || scan === undefined) return undefined
  const retire = repack.retire.flatMap((own) => scan.node(own) ?? [])
  const aside = repack.shift.map((own) => own.replica)
  const still = scan.bodies().flatMap((own) => own.replicas.filter(({ id }) => aside.includes(id)))
  if (still.some((own) => own.order === 'run')) {
    return `${name} is emptied, and ${aside.join(', ')} has not moved aside`
  }
  const moving = scan.bodies().filter((own) => repack.retire.includes(own.node))
  // Who was told to stop before is not the repack's to move, and may have gone by now.
  const told = moving.flatMap((own) => own.replicas.filter(({ order }) => order === 'run'))
  const uids = new Set(told.map(({ uid }) => uid))
  const quotas = quotasIn(scan)
  for (const workload of scan.workloads()) {
    if (!uids.has(workload.uid) || !quotas.isCovered(workload)) continue
    const available = availableIn(scan, pass, workload).size
    const allowed = allowedIn(scan, workload)
    if (available >= allowed) continue
    return `${name} is emptied, and ${workload.name} has ${String(available)} of ${String(allowed)}`
  }
  if (drain?.reason !== 'Repacked') return undefined
  const machines = repack.launch.flatMap((own) => pass.written.get(own) ?? scan.node(own) ?? [])
  return savesTooLittle(scan, { retire, launch: machines, moves: told.length + aside.length })
}

/** Their verdict may be what this very pass has read. */
function isReadyNow(names: readonly string[], { written }: OpenPass): boolean {
  return names.every((own) => written.get(own)?.phase === 'ready')
}

type Sides = {
  readonly retire: readonly Node[]
  readonly launch: readonly Node[]
  readonly moves: number
}

function savesTooLittle(scan: Scan, { retire, launch, moves }: Sides): string | undefined {
  const [old, fresh] = [retire, launch].map((side) => side.map((own) => priceIn(scan, own)))
  if (old === undefined || fresh === undefined) return undefined
  if ([...old, ...fresh].some((own) => own === undefined)) return undefined
  const total = (prices: readonly (number | undefined)[]): number =>
    prices.reduce<number>((sum, own) => sum + (own ?? 0), 0)
  const saving = total(old) - total(fresh)
  const least = retire.reduce((sum, own, i) => sum + shareOf(scan, own) * (old[i] ?? 0), 0)
  const net = saving - moves * MOVE_USD
  if (saving >= least - 1e-6 && net >= LEAST_USD - 1e-6) return undefined
  const names = (side: readonly Node[]): string => side.map((own) => own.name).join(', ')
  return (
    `${names(retire)} at ${String(total(old))} give way to ${names(launch)} at ` +
    `${String(total(fresh))}, with ${String(moves)} moves`
  )
}

function shareOf(scan: Scan, { pool }: Node): number {
  const least = scan.pool(pool)?.spec.repack.minSaving ?? 0
  return typeof least === 'string' ? parseFloat(least) / 100 : 0
}

/** As the pass has read the market; undefined where it had nothing to read. */
function priceIn(scan: Scan, { pool, machine, capacityType }: Node): number | undefined {
  if (machine === undefined) return undefined
  const own = scan.pool(pool)?.spec.priceOverrides[machine.instanceType]
  if (own !== undefined) return own
  const prices = scan.get(keys.market(machine.zone))?.['prices'] as Prices | undefined
  return prices?.[machine.instanceType]?.[capacityType === 'spot' ? 'spot' : 'onDemand']
}

type Prices = Readonly<Record<string, { readonly onDemand?: number; readonly spot?: number }>>
