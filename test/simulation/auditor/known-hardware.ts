/**
 * A GPU that failed in one machine carries nothing in another.
 *
 * The auditor keeps its own list, from verdicts alone: a FAIL that names a device rejects it, and
 * what is admitted later, on the machine on which it was mended, is cleared, and so is what a
 * person vouches for until it fails again. A node that enters
 * service with a device on the list that failed elsewhere, within the month for which a rejection
 * is believed, should have been refused.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Order } from '#shared/model/facts.ts'
import type { Report } from '#shared/model/report.ts'
import type { Verdict } from '#shared/model/verdict.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import { kindOf, nodeOf, orderOf, reportOf, verdictOf } from './items.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = 'rejected hardware stays out'

type Rejection = {
  readonly arn: string
  readonly atMs: number
  /** The moment by which drover names this rejection: the verdict's. */
  readonly verdictAtMs: number
}

export function makeKnownHardware({ truth }: Knowledge): Rule {
  /** By UUID. */
  const rejected = new Map<string, Rejection>()

  const devicesOf = (arn: string): NonNullable<Report['gpus']> =>
    reportOf(truth.get(keys.report(arn)))?.gpus ?? []

  const takeVerdict = (verdict: Verdict | undefined): void => {
    if (verdict === undefined) return
    const { arn, checks, atMs: verdictAtMs } = verdict
    const own = new Set(devicesOf(arn).map(({ uuid }) => uuid))
    if (verdict.verdict === 'PASS' || verdict.verdict === 'WARN') {
      for (const uuid of own) if (rejected.get(uuid)?.arn === arn) rejected.delete(uuid)
    }
    if (verdict.verdict !== 'FAIL') return
    for (const { uuid, verdict: found } of checks.flatMap(({ devices = [] }) => devices)) {
      if (found === 'FAIL' && own.has(uuid))
        rejected.set(uuid, { arn, atMs: truth.nowMs(), verdictAtMs })
    }
  }
  const takeClearing = (order: Order | undefined): void => {
    if (order?.target !== 'hardware') return
    const known = rejected.get(order.name)
    if (known !== undefined && known.verdictAtMs <= order.rejectedAtMs) rejected.delete(order.name)
  }
  const judgeEntry = ({ before, after }: Change): Breach | undefined => {
    const [was, node] = [nodeOf(before), nodeOf(after)]
    if (node?.phase !== 'ready' || was?.phase !== 'testing') return undefined
    const { arn = '' } = node.machine ?? {}
    return firstOf(devicesOf(arn), ({ uuid }) => {
      const known = rejected.get(uuid)
      if (known === undefined || known.arn === arn) return undefined
      const agedMs = truth.nowMs() - known.atMs
      if (agedMs >= LIMITS.hardwareRejectedMs) return undefined
      const hours = (agedMs / 3_600_000).toFixed(1)
      return { rule: RULE, text: `${node.name} is ready, and its ${uuid} failed ${hours} h ago` }
    })
  }
  return {
    see: {
      write: ({ by, changes }) => {
        if (by.role === 'admin-api') {
          for (const { key, after } of changes) {
            if (kindOf(key) === 'order') takeClearing(orderOf(after))
          }
        }
        if (by.role === 'burn-in') {
          for (const { key, after } of changes) {
            if (kindOf(key) === 'verdict') takeVerdict(verdictOf(after))
          }
        }
        if (by.role !== 'reconcile') return undefined
        return firstOf(changes, (change) =>
          kindOf(change.key) === 'node' ? judgeEntry(change) : undefined,
        )
      },
    },
  }
}
