/**
 * Data: no process starts before its machine has all of it, and a source is not stampeded.
 */
import { isGang } from '#shared/model/gang.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Node } from '#shared/model/node.ts'
import { keys } from '#shared/store/keys.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { workloadOf } from './items.ts'
import { firstOf, type Knowledge, type Rule } from './rule.ts'

const RULE = 'data'

export function makeData({ books, truth }: Knowledge): Rule {
  return {
    see: {
      process: ({ instanceId, replicaId, what }) => {
        if (what !== 'started') return undefined
        const arn = books.nodeOfInstance(instanceId)?.machine?.arn ?? ''
        const body = books.bodies.get(arn)
        const bound = body?.replicas.find((own) => own.id === replicaId)
        if (bound?.dataKey === undefined || truth.hasData(instanceId, bound.dataKey)) {
          return undefined
        }
        return { rule: RULE, text: `${replicaId} on ${instanceId} starts without its data` }
      },
      write: ({ by, changes }) => {
        if (by.role !== 'reconcile') return undefined
        const fresh = changes
          .filter(isBody)
          .flatMap((change) => bodyChange(change).added.filter((own) => own.dataKey !== undefined))
        return firstOf(new Set(fresh.map((own) => own.workload)), (name) => {
          const workload = workloadOf(truth.get(keys.spec('workload', name)))
          if (workload === undefined || isGang(workload)) return undefined
          const fetching = [...books.bodies.values()]
            .filter(({ node }) => isThere(books.nodes.get(node)))
            .flatMap((own) => own.replicas)
            .filter(
              (own) =>
                own.uid === workload.uid &&
                own.order === 'run' &&
                own.dataKey !== undefined &&
                own.fetchedAtMs === undefined,
            )
          if (fetching.length <= LIMITS.fetchesAtOnce) return undefined
          return { rule: RULE, text: `${String(fetching.length)} of ${name} fetch at once` }
        })
      },
    },
  }
}

const isThere = (node: Node | undefined): boolean =>
  node !== undefined && node.lostSinceMs === undefined && node.phase !== 'terminating'
