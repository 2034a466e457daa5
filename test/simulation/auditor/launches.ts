/**
 * Launches: what EC2 hears was written down before, word for word, and happens at most once; and a
 * pool's limits hold at each of them.
 *
 * Limits are judged on the table, where a claim counts at its largest and dearest, and in the
 * world, where what lives never exceeds the largest limit that the pool ever had. A replay is
 * judged by the limits its intent was made under: a limit that was lowered since is no breach.
 */
import { LIMITS } from '#shared/model/limits.ts'
import { launchTag, TAGS, type Launch } from '#shared/model/launch.ts'
import type { Change } from '#shared/store/store.ts'
import type { Caller, SeenOf } from '../traffic.ts'
import { kindOf, launchItemOf, poolOf, storedRequest } from './items.ts'
import {
  hashOfRequest,
  isSameIntent,
  launchIdOf,
  type KnownLaunch,
  type LaunchLog,
} from './launch-log.ts'
import {
  chargeOf,
  excess,
  limitsOf,
  looser,
  NO_LIMITS,
  plus,
  shapeOfType,
  ZERO,
  type Amount,
  type Limits,
} from './needs.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const ONCE = '5 launches once'
const LIMIT = '6 limits'

/** `notAfter` is checked just before sending; the call itself may take until its timeout. */
const IN_FLIGHT_MS = LIMITS.fleetTimeoutMs + 6_000
/** Longer than EC2 remembers a token. */
const REMEMBERED_MS = 48 * 3_600_000

export function makeLaunches({ truth, books, passes }: Knowledge, log: LaunchLog): Rule {
  /** Instances that reconcile's own calls have brought: strays of others count for nobody. */
  const ours = new Set<string>()
  /** By pool: the largest limits it ever had. */
  const largest = new Map<string, Limits>()
  const takePool = (name: string, limits: Limits): void => {
    const known = largest.get(name)
    largest.set(name, known === undefined ? limits : looser(known, limits))
  }
  for (const [name, pool] of books.pools) takePool(name, limitsOf(pool))

  const seenLimits = (by: Caller, pool: string): Limits => {
    const item = passes.of(by)?.scan?.pool(pool) ?? books.pools.get(pool)
    return item === undefined ? NO_LIMITS : limitsOf(item)
  }
  const takeIntent = ({ before, after }: Change, by: Caller): Breach | undefined => {
    const [was, launch] = [launchItemOf(before), launchItemOf(after)]
    if (launch === undefined) return undefined
    const what = `launch ${launchTag(launch)}`
    if (was !== undefined && was.attempt === launch.attempt) {
      if (isSameIntent(was, launch)) return undefined
      return { rule: ONCE, text: `${by.label} changed the request of ${what} under its token` }
    }
    const request = storedRequest(launch)
    if (request === undefined) return { rule: ONCE, text: `${what} holds no request` }
    const { id, pool, count, notAfterMs, createdAtMs } = launch
    const text = wrongIntent(launch, request)
    if (text !== undefined) return { rule: ONCE, text: `${what}: ${text}` }
    const requestHash = hashOfRequest(request)
    const known = log.byToken(request.token)
    if (known !== undefined && known.requestHash !== requestHash) {
      return {
        rule: ONCE,
        text: `${what} uses the token of launch ${known.id} for another request`,
      }
    }
    const limits = seenLimits(by, pool)
    const facts = { id, pool, count, notAfterMs, createdAtMs, requestHash, limits }
    log.open(request.token, facts)
    return undefined
  }
  const judgeAct = ({ atMs, by, request, born }: SeenOf<'launch'>): Breach | undefined => {
    const tag = request.tags[TAGS.launch] ?? 'no launch'
    const what = `${by.label} launched ${tag}`
    if (by.role !== 'reconcile') return { rule: ONCE, text: `${what}; reconcile alone may` }
    const known = log.byToken(request.token)
    if (known === undefined) return { rule: ONCE, text: `${what}, which was not written down` }
    if (hashOfRequest(request) !== known.requestHash) {
      return { rule: ONCE, text: `${what} with another request than the one written down` }
    }
    if (atMs >= known.notAfterMs + IN_FLIGHT_MS) {
      const lateMs = atMs - known.notAfterMs
      return { rule: ONCE, text: `${what} ${String(lateMs)} ms after its notAfter` }
    }
    if (born.length > 0 && !books.launches.has(known.id)) {
      return { rule: ONCE, text: `${what}, whose item is gone, and ${born.join(', ')} came of it` }
    }
    for (const id of born) ours.add(id)
    const all = log.bear(known.id, born.length, atMs)
    if (all > known.count) {
      const counts = `${String(all)} instances, ${String(known.count)} asked`
      const text = `launch ${known.id} brought ${counts}; the last: ${born.join(', ')}`
      return { rule: ONCE, text }
    }
    const limits = looser(known.limits, seenLimits(by, known.pool))
    return judgeTable(known, limits, what) ?? (born.length > 0 ? judgeWorld() : undefined)
  }
  const judgeTable = (
    { pool, createdAtMs }: KnownLaunch,
    limits: Limits,
    what: string,
  ): Breach | undefined => {
    let used: Amount = ZERO
    let usdPerHour = 0
    let count = 0
    for (const node of books.nodesOfPool(pool)) {
      // What was adopted after the intent was made could not be counted in it.
      if ((node.adoptedAtMs ?? 0) >= createdAtMs) continue
      const charge = chargeOf(node)
      used = plus(used, charge)
      usdPerHour += charge.usdPerHour
      count += 1
    }
    const dear = usdPerHour > limits.usdPerHour + 1e-6
    const cost = `$${usdPerHour.toFixed(4)} of $${String(limits.usdPerHour)} an hour`
    const much = excess(used, limits) ?? (dear ? cost : undefined)
    if (much === undefined) return undefined
    const text = `${what}: the ${String(count)} nodes of pool ${pool} come to ${much}`
    return { rule: LIMIT, text }
  }
  /** Pools over the largest limit they ever had, by what lives in EC2. */
  const judgeWorld = (): Breach | undefined => {
    const used = new Map<string, Amount>()
    for (const { instanceId, state, tags, instanceType } of truth.instances()) {
      if (!ours.has(instanceId) || (state !== 'pending' && state !== 'running')) continue
      const pool = tags[TAGS.pool]
      if (pool === undefined) continue
      used.set(pool, plus(used.get(pool) ?? ZERO, shapeOfType(instanceType) ?? ZERO))
    }
    return firstOf(used, ([pool, amount]) => {
      const much = excess(amount, largest.get(pool) ?? NO_LIMITS)
      if (much === undefined) return undefined
      return { rule: LIMIT, text: `what lives in EC2 of pool ${pool} comes to ${much}` }
    })
  }
  return {
    see: {
      write: ({ by, changes }) =>
        firstOf(changes, (change) => {
          const kind = kindOf(change.key)
          if (kind === 'launch') return takeIntent(change, by)
          const pool = kind === 'spec' ? poolOf(change.after) : undefined
          if (pool !== undefined) takePool(pool.name, limitsOf(pool))
          return undefined
        }),
      launch: judgeAct,
    },
    full: () => {
      log.forgetBefore(truth.nowMs() - REMEMBERED_MS)
      for (const id of ours) if (truth.instance(id) === undefined) ours.delete(id)
      return judgeWorld()
    },
  }
}

function wrongIntent(
  launch: Launch,
  request: NonNullable<ReturnType<typeof storedRequest>>,
): string | undefined {
  const { id, pool, count, claims, capacityType } = launch
  if (request.count !== count || claims.length !== count) {
    const counts = [count, request.count, claims.length].map(String)
    return `counts differ: ${counts.join(', ')} (item, request, claims)`
  }
  if (launchIdOf(request.tags) !== id) return `its tag is ${request.tags[TAGS.launch] ?? 'missing'}`
  if (request.tags[TAGS.pool] !== pool) return `its pool tag is not ${pool}`
  if (request.tags[TAGS.table] === undefined) return 'it has no table tag'
  if (request.capacityType !== capacityType) return `it asks for ${request.capacityType} machines`
  return undefined
}
