/**
 * Brakes: at most a fifth of a pool, a zone, a type or an image, and always one node, is given up
 * in any sliding ten minutes.
 *
 * Judged by what was done to nodes, not by drover's own books. A node is given up when it is
 * written lost, when it is ended before it ever carried anything (it did not boot, its burn-in
 * never came to a verdict), when it is drained to save money or for its age, and when a stray
 * instance is swept. Ends that EC2 announced, other drains, persons' orders and failed burn-ins are
 * not counted, nor anything in a pool whose brake a person has lifted.
 */
import { LIMITS } from '#shared/model/limits.ts'
import { TAGS } from '#shared/model/launch.ts'
import type { Node } from '#shared/model/node.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import type { SeenOf, Truth } from '../traffic.ts'
import { brakeOf, kindOf, nodeOf, orderOf } from './items.ts'
import { launchIdOf, type LaunchLog } from './launch-log.ts'
import { isVoluntary } from './repack.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import { makeSizes, scopeNames, scopesOf } from './sizes.ts'

const RULE = '12 brakes'
const SHARE = 0.2
/** What was booked before a crash is stamped a little later once it is done. */
const WINDOW_MS = LIMITS.brakeWindowMs - 60_000
/** How long a release may stand before a pass sees it. */
const RELEASE_MS = LIMITS.brakeWindowMs + 120_000

type Entry = { readonly node: string; readonly why: string; readonly atMs: number }
type Condemned = Entry & { readonly pool: string; readonly scopes: readonly string[] }

/** True while a person's order may lift the brakes of a pool. */
export function makeIsReleased(truth: Truth): (pool: string, atMs: number) => boolean {
  return (pool, atMs) => {
    const order = orderOf(truth.get(keys.order('pool', pool)))
    if (order?.verb === 'release-brake' && atMs - order.atMs < RELEASE_MS) return true
    const sinceMs = brakeOf(truth.get(keys.brake(pool)))?.release?.sinceMs
    return sinceMs !== undefined && atMs - sinceMs < RELEASE_MS
  }
}

export function makeBrakes({ truth, books, passes }: Knowledge, log: LaunchLog): Rule {
  const sizes = makeSizes(books.nodes.values())
  const entries = new Map<string, Entry[]>()

  const isReleased = makeIsReleased(truth)
  const condemn = ({ scopes, pool, ...entry }: Condemned): Breach | undefined => {
    const released = isReleased(pool, entry.atMs)
    const found = scopes.map((scope): Breach | undefined => {
      const recent = (entries.get(scope) ?? []).filter(
        (own) => entry.atMs - own.atMs < WINDOW_MS && own.node !== entry.node,
      )
      entries.set(scope, [...recent, entry])
      const size = sizes.largest(scope, truth.nowMs())
      const most = Math.max(1, Math.floor(SHARE * size))
      if (released || recent.length + 1 <= most) return undefined
      const told = [...recent, entry].map(({ node, why }) => `${node} (${why})`).join(', ')
      const text = `${scope} of ${String(size)} may give up ${String(most)} in ten minutes: ${told}`
      return { rule: RULE, text }
    })
    return found.find((own) => own !== undefined)
  }
  const judgeNode = ({ before, after }: Change, atMs: number): Breach | undefined => {
    const [was, is] = [nodeOf(before), nodeOf(after)]
    sizes.move(was, is, atMs)
    if (is === undefined) return undefined
    const facts = { node: is.name, pool: is.pool, scopes: scopesOf(is) }
    if (is.lostSinceMs !== undefined && was?.lostSinceMs === undefined) {
      return condemn({ ...facts, why: 'lost', atMs: is.lostSinceMs })
    }
    if (isVoluntary(is) && !(was !== undefined && isVoluntary(was))) {
      return condemn({ ...facts, why: 'repacked', atMs: is.drain?.sinceMs ?? atMs })
    }
    if (is.phase !== 'terminating' || was === undefined || was.phase === 'terminating') {
      return undefined
    }
    if (!isGivenUp(was, is)) return undefined
    return condemn({ ...facts, why: `ended while ${was.phase}`, atMs: is.phaseSinceMs })
  }
  const isGivenUp = (was: Node, is: Node): boolean => {
    if (was.phase !== 'booting' && was.phase !== 'testing') return false
    if (is.drain !== undefined || is.lostSinceMs !== undefined) return false
    if (is.interruption !== undefined || is.burnIn?.verdict === 'FAIL') return false
    const isSwept = is.adoptedAtMs !== undefined && sweepIsAllowed()
    const state = truth.instance(is.machine?.instanceId ?? '')?.state
    return !isSwept && (state === 'pending' || state === 'running')
  }
  const sweepIsAllowed = (): boolean => truth.get(keys.order('sweep', 'sweep')) !== undefined
  const judgeSweep = (id: string, { by }: SeenOf<'terminate'>): Breach | undefined => {
    const instance = truth.instance(id)
    if (instance === undefined || books.nodeOfInstance(id) !== undefined) return undefined
    if (instance.state !== 'pending' && instance.state !== 'running') return undefined
    if (log.knows(launchIdOf(instance.tags))) return undefined
    const { zone, instanceType: type, tags } = instance
    const pool = tags[TAGS.pool] ?? ''
    const scopes = scopeNames({ pool, zone, type })
    const atMs = passes.of(by)?.taken?.startedAtMs ?? truth.nowMs()
    return condemn({ node: id, pool, scopes, why: 'swept', atMs })
  }
  return {
    see: {
      write: ({ atMs, changes }) =>
        firstOf(changes, (change) =>
          kindOf(change.key) === 'node' ? judgeNode(change, atMs) : undefined,
        ),
      terminate: (seen) => firstOf(seen.instanceIds, (id) => judgeSweep(id, seen)),
    },
  }
}
