/**
 * Ends: whose machine is terminated was written down before, and stands empty where nobody is in a
 * hurry.
 *
 * Three things may be terminated: a node that is *terminating* (which is never taken back), surplus
 * of a launch, and an orphan that was seen without an owner twice, a minute apart. A call of an
 * overtaken pass may come late, when its node is gone already: what once was terminating, or no
 * longer lives, is ended by nobody.
 */
import type { Node } from '#shared/model/node.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Change } from '#shared/store/store.ts'
import type { Caller, SeenOf } from '../traffic.ts'
import { kindOf, nodeOf } from './items.ts'
import { launchIdOf, type LaunchLog } from './launch-log.ts'
import type { Liars } from './liars.ts'
import { CLOCK_SLACK_MS, firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Sightings } from './sightings.ts'

const INTENT = 'intent before effect'

/** Drains that wait until the node is empty, or overdue. */
const UNHURRIED: ReadonlySet<string> = new Set([
  'CertificateAge',
  'Drifted',
  'Empty',
  'Expired',
  'OperatorDrain',
  'PoolDeleted',
  'Reclaimed',
  'Repacked',
  'Retest',
  'Terminate',
])

export type EndsContext = {
  readonly liars: Liars
  readonly log: LaunchLog
  readonly sightings: Sightings
}

export function makeEnds({ truth, books, passes }: Knowledge, context: EndsContext): Rule {
  const { liars, log, sightings } = context
  /** Instances whose nodes were terminating at some time. */
  const doomed = new Set<string>()

  const isAlive = (instanceId: string): boolean => {
    const state = truth.instance(instanceId)?.state
    return state === 'pending' || state === 'running'
  }
  const judgeNode = ({ before, after }: Change, by: Caller): Breach | undefined => {
    const [was, is] = [nodeOf(before), nodeOf(after)]
    if (is?.phase === 'terminating' && is.machine !== undefined) doomed.add(is.machine.instanceId)
    if (was === undefined) return undefined
    if (is === undefined) return judgeRemoval(was, by)
    if (was.phase !== 'terminating' || is.phase === 'terminating') return undefined
    const text = `${by.label} took ${is.name} back from terminating to ${is.phase}`
    return { rule: 'terminating is never taken back', text }
  }
  /** A node goes when EC2 says that its machine is over, or twice that it knows of none. */
  const judgeRemoval = (
    { name, machine, missingSinceMs }: Node,
    by: Caller,
  ): Breach | undefined => {
    const state = truth.instance(machine?.instanceId ?? '')?.state
    if (machine === undefined || state === undefined || state === 'terminated') return undefined
    const listing = passes.of(by)?.listing
    const isUnknown = listing !== undefined && !listing.has(machine.instanceId)
    const missingMs = truth.nowMs() - (missingSinceMs ?? Infinity)
    if (isUnknown && missingMs >= LIMITS.notFoundConfirmMs - CLOCK_SLACK_MS) return undefined
    const text = `${by.label} removed ${name}, and ${machine.instanceId} is ${state}`
    return { rule: 'gone', text }
  }
  const judgeTermination = (id: string, seen: SeenOf<'terminate'>): Breach | undefined => {
    const what = `${seen.by.label} terminated ${id}`
    if (seen.by.role !== 'reconcile') return { rule: INTENT, text: `${what}; reconcile alone may` }
    if (!isAlive(id)) return undefined
    const node = books.nodeOfInstance(id)
    if (node?.phase === 'terminating') return judgeEmptiness(node, id, seen)
    if (doomed.has(id)) return undefined
    if (node !== undefined) {
      const scan = passes.of(seen.by)?.scan
      if (sightings.wasOrphan(id, scan?.atMs)) return undefined
      return { rule: INTENT, text: `${what}, the machine of ${node.name}, which is ${node.phase}` }
    }
    const launch = launchIdOf(truth.instance(id)?.tags ?? {})
    const open = books.launches.get(launch)
    const isOpen =
      open?.claims.some((name) => books.nodes.get(name)?.phase === 'launching') ?? false
    if (log.knows(launch) && !isOpen) return undefined
    if (!isOpen && sightings.wasOrphan(id, seen.atMs)) return undefined
    const told = [`launch ${launch}`, ...(isOpen ? ['open'] : []), sightings.describe(id)]
    return { rule: INTENT, text: `${what}, which no node names (${told.join(', ')})` }
  }
  const judgeEmptiness = (
    node: Node,
    id: string,
    { atMs, by }: SeenOf<'terminate'>,
  ): Breach | undefined => {
    const { drain, machine } = node
    if (drain === undefined || !UNHURRIED.has(drain.reason)) return undefined
    if (node.lostSinceMs !== undefined || liars.has(id)) return undefined
    const replicas = books.bodies.get(machine?.arn ?? '')?.replicas ?? []
    const graceMs = Math.max(0, ...replicas.map((own) => own.graceSeconds * 1000))
    const overdueAtMs = drain.deadlineMs + graceMs + LIMITS.drainOverdueMs
    if (atMs + CLOCK_SLACK_MS >= overdueAtMs) return undefined
    const left = truth.processes(id).map((own) => own.replicaId)
    if (left.length === 0) return undefined
    const early = `${String(overdueAtMs - atMs)} ms before its drain (${drain.reason}) is overdue`
    const text = `${by.label} ended ${node.name} with ${left.join(', ')} on it, ${early}`
    return { rule: 'empty before the end', text }
  }
  return {
    see: {
      write: ({ by, changes }) =>
        firstOf(changes, (change) =>
          kindOf(change.key) === 'node' ? judgeNode(change, by) : undefined,
        ),
      terminate: (seen) => firstOf(seen.instanceIds, (id) => judgeTermination(id, seen)),
    },
    full: () => {
      for (const id of doomed) if (truth.instance(id) === undefined) doomed.delete(id)
      return undefined
    },
  }
}
