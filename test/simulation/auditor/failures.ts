/**
 * Failures: nobody is held to have failed more often than its agent has told.
 *
 * The auditor adds up what the reports say, every one of them; drover, which sees some, may count
 * fewer and never more. Once all is calm it must have counted what the reports say last.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Report, ReportedReplica } from '#shared/model/report.ts'
import type { ReplicaFailure } from '#shared/model/status.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import { bodyOf, kindOf, reportOf, statusOf } from './items.ts'
import { CLOCK_SLACK_MS, firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = 'failures'
const KEPT = 200

export function makeFailures({ truth, books }: Knowledge): Rule {
  const tally = makeTally()
  for (const item of truth.items()) {
    if (kindOf(item) === 'report') tally.take(reportOf(item))
  }
  const judgeCount = (id: string, count: number): Breach | undefined => {
    const most = tally.of(id)
    if (count <= most) return undefined
    const text = `${id} is said to have failed ${String(count)} times, and has ${String(most)}`
    return { rule: RULE, text }
  }
  const judge = ({ key, before, after }: Change): Breach | undefined => {
    if (kindOf(key) === 'assign') {
      const body = bodyOf(after)
      if (body === undefined || body.replicas === bodyOf(before)?.replicas) return undefined
      return firstOf(body.replicas, ({ id, failures }) =>
        failures === undefined ? undefined : judgeCount(id, failures.count),
      )
    }
    const told = kindOf(key) === 'status' ? statusOf(after)?.failures : undefined
    if (told === undefined) return undefined
    if (told.length > KEPT) {
      return { rule: RULE, text: `${key.sk} remembers ${String(told.length)} failures` }
    }
    return firstOf(told, ({ replica, count }) => judgeCount(replica, count))
  }
  return {
    see: {
      write: ({ changes }) => {
        for (const { key, after } of changes) {
          if (kindOf(key) === 'report') tally.take(reportOf(after))
        }
        return firstOf(changes, judge)
      },
    },
    unsettled: () => [...books.bodies.values()].flatMap((body) => missing(body, { truth, books })),
  }
}

type Tally = {
  take(report: Report | undefined): void
  /** How often the replica has failed, by all that was told. */
  of(id: string): number
}

const crashesOf = ({ restarts, phase }: ReportedReplica): number =>
  restarts + (phase === 'failed' ? 1 : 0)

function makeTally(): Tally {
  const last = new Map<string, ReportedReplica>()
  const counts = new Map<string, number>()
  return {
    take: (report) => {
      for (const own of report?.replicas ?? []) {
        const before = last.get(own.id)
        const [now, past] = [crashesOf(own), before === undefined ? 0 : crashesOf(before)]
        const crashed = now < past ? now : now - past
        const fell = before?.ready === true && !own.ready ? 1 : 0
        counts.set(own.id, (counts.get(own.id) ?? 0) + crashed + fell)
        last.set(own.id, own)
      }
    },
    of: (id) => counts.get(id) ?? 0,
  }
}

type Body = NonNullable<ReturnType<typeof bodyOf>>

/** What a node's last report says and drover has not taken in. */
function missing(
  { arn, node, replicas }: Body,
  { truth, books }: Pick<Knowledge, 'truth' | 'books'>,
): readonly string[] {
  const report = reportOf(truth.get(keys.report(arn)))
  if (report === undefined || books.nodes.get(node)?.phase !== 'ready') return []
  const told = new Map(report.replicas.map((own) => [own.id, own]))
  return replicas.flatMap(({ id, workload, order, readySinceMs, failures }) => {
    const own = told.get(id)
    if (own === undefined || order === 'stop') return []
    const [crashes, counted] = [crashesOf(own), failures?.crashes ?? 0]
    if (crashes !== counted) {
      return [`${id} has failed ${String(crashes)} times, and ${String(counted)} are counted`]
    }
    if (failures === undefined || failures.count === 0) return []
    const wellAtMs =
      readySinceMs === undefined
        ? Infinity
        : Math.max(readySinceMs, failures.lastMs) + LIMITS.restartResetMs
    if (wellAtMs <= truth.nowMs() + CLOCK_SLACK_MS) return []
    const rows: readonly ReplicaFailure[] =
      statusOf(truth.get(keys.status('workload', workload)))?.failures ?? []
    const isListed = rows.length >= KEPT || rows.some((row) => row.replica === id)
    return isListed ? [] : [`${id} failed and its workload does not remember it`]
  })
}
