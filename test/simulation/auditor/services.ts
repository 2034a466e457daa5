/**
 * Load balancers: nobody is registered who is not written down, and nobody is stopped to whom
 * requests still go.
 *
 * Judged by what balancers were told, in the order in which they were. A replica may be stopped
 * while it is registered only where no time is left: its machine ends, or it has been leaving for
 * longer than any balancer takes.
 */
import { targetKey } from '#shared/cloud/balancer.ts'
import type { Assignment } from '#shared/model/assignment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { SeenOf } from '../traffic.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = 'load balancers'

/** An agent judges a notice by its own clock, which may be so far off. */
const AGENT_SLACK_MS = 6_000

export function makeServices({ books, truth }: Knowledge): Rule {
  /** `<group> <instance>:<port>` → the replica that it was registered for. */
  const registered = new Map<string, string>()
  const bodyOf = (instanceId: string): Assignment | undefined =>
    books.bodies.get(books.nodeOfInstance(instanceId)?.machine?.arn ?? '')

  const register = ({ targetGroupArn, targets, by }: SeenOf<'balance'>): Breach | undefined =>
    firstOf(targets, (target) => {
      const bound = bodyOf(target.instanceId)?.replicas.find(
        ({ balanced }) =>
          balanced?.targetGroupArn === targetGroupArn && balanced.port === target.port,
      )
      const key = `${targetGroupArn} ${targetKey(target)}`
      if (bound === undefined) {
        return { rule: RULE, text: `${by.label} registers ${targetKey(target)}, written nowhere` }
      }
      registered.set(key, bound.id)
      return undefined
    })

  const stopped = ({ instanceId, replicaId, atMs }: SeenOf<'process'>): Breach | undefined => {
    const keys = [...registered].filter(([, id]) => id === replicaId).map(([key]) => key)
    const key = keys.find((own) => own.includes(` ${instanceId}:`))
    if (key === undefined || truth.instance(instanceId)?.state !== 'running') return undefined
    const bound = bodyOf(instanceId)?.replicas.find((own) => own.id === replicaId)
    const node = books.nodeOfInstance(instanceId)
    if (bound === undefined || node === undefined || !truth.agentIsWell(instanceId))
      return undefined
    const deadlineMs = Math.min(
      node.drain?.deadlineMs ?? Infinity,
      node.interruption?.deadlineMs ?? Infinity,
      truth.instance(instanceId)?.interruption?.atMs ?? Infinity,
    )
    const lastMs = Math.min(
      deadlineMs - bound.graceSeconds * 1000,
      (bound.balanced?.leavingSinceMs ?? Infinity) + LIMITS.deregisterMostMs,
    )
    if (atMs >= lastMs - AGENT_SLACK_MS) return undefined
    return { rule: RULE, text: `${replicaId} is told to stop and still registered as ${key}` }
  }

  return {
    see: {
      balance: (seen) => {
        if (seen.what === 'register') return register(seen)
        for (const target of seen.targets) {
          registered.delete(`${seen.targetGroupArn} ${targetKey(target)}`)
        }
        return undefined
      },
      process: (seen) => (seen.what === 'told to stop' ? stopped(seen) : undefined),
    },
  }
}
