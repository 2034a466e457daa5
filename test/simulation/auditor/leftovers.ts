/**
 * What should be gone or over by the time the herd is whole: nodes that nothing needs, machines
 * that are coming or going, launches without an answer, orders to stop that nobody has followed.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Node } from '#shared/model/node.ts'
import { headroomKept, type HeadroomKept } from './headroom.ts'
import { CLOCK_SLACK_MS, type Knowledge, type Rule } from './rule.ts'

export function makeLeftovers(knowledge: Knowledge): Rule {
  const { truth, books } = knowledge
  const sayNode = (node: Node, headroom: HeadroomKept): string | undefined => {
    const { name, pool, phase, machine } = node
    if (machine === undefined) return `claim ${name} has no machine yet`
    const instance = truth.instance(machine.instanceId)
    const state = instance?.state
    if (state === undefined || state === 'terminated' || state === 'shutting-down') {
      return `node ${name} is ${phase}, and ${machine.instanceId} is ${state ?? 'forgotten'}`
    }
    if (instance?.interruption !== undefined) return `node ${name} is about to be taken by EC2`
    const spec = books.pools.get(pool)?.spec
    if (phase === 'quarantined') {
      const keptMs = (spec?.burnIn.quarantineSeconds ?? 0) * 1000 + LIMITS.tickMs
      const isOver = truth.nowMs() - node.phaseSinceMs > keptMs
      return isOver ? `node ${name} is quarantined longer than its pool says` : undefined
    }
    // What an outage left behind and carries something is kept until a person says so.
    const body = books.bodies.get(machine.arn)
    const isKept = node.adoptedAtMs !== undefined && body === undefined
    if (isKept && truth.processes(machine.instanceId).length > 0) return undefined
    if (phase !== 'ready') return `node ${name} is ${phase} (${node.drain?.reason ?? 'no drain'})`
    if (node.lostSinceMs !== undefined) return `node ${name} is lost`
    // What its agent has found has its turn yet to come, unless it is a person's.
    if (node.closed === true && !node.cordoned) return `node ${name} is closed`
    const count = body?.replicas.length ?? 0
    const mayStay = node.cordoned || spec === undefined || spec.repack.when === 'never'
    if (count > 0 || mayStay || headroom.needs(node)) return undefined
    return `node ${name} of pool ${pool} carries nothing`
  }
  return {
    unsettled: () => {
      const headroom = headroomKept(knowledge)
      return [
        ...[...books.nodes.values()].flatMap((node) => sayNode(node, headroom) ?? []),
        ...[...books.launches.values()].map((own) => `launch ${own.id} is open`),
        ...[...books.bodies.values()].flatMap(({ node, replicas }) =>
          replicas
            .filter((own) => own.order === 'stop')
            .map((own) => {
              const sinceMs = truth.nowMs() - (own.stopAtMs ?? 0) - CLOCK_SLACK_MS
              return `${own.id} on ${node} was told to stop ${String(sinceMs)} ms ago`
            }),
        ),
      ]
    },
  }
}
