/**
 * Mending: who failed a test is asked the same again, whatever was done to it meanwhile, and is
 * rebooted by reconcile alone, with nothing on it, once that stands in its node.
 *
 * A call of an overtaken pass may come late: what was to be rebooted a while ago may boot once
 * more.
 */
import type { AskedCheck } from '#shared/model/burn-in.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import type { Caller, SeenOf } from '../traffic.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { kindOf, nodeOf, verdictOf } from './items.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const INTENT = 'intent before effect'
const DEPTH = 'a light pass clears no deep failure'

/** A call that is still in flight when its pass is overtaken comes no later than that. */
const LATE_MS = LIMITS.reconcileVisibilityMs

type Asked = {
  readonly attempt: number
  readonly checks: readonly AskedCheck[]
  /** There where the short suite was asked: in whole it asks for more of the same. */
  readonly certificate?: object | undefined
}

export function makeMending({ truth, books }: Knowledge): Rule {
  /** By instance: when its node last said that it is being rebooted. */
  const meantAtMs = new Map<string, number>()
  /** By ARN: what it was asked in which attempt. */
  const asked = new Map<string, Asked>()

  const noteIntent = ({ before, after }: Change): void => {
    for (const node of [nodeOf(before), nodeOf(after)]) {
      if (node?.burnIn?.reboot === undefined || node.machine === undefined) continue
      meantAtMs.set(node.machine.instanceId, truth.nowMs())
    }
  }
  const judgeSuite = (change: Change, by: Caller): Breach | undefined => {
    const { after } = bodyChange(change)
    if (after?.burnIn === undefined) return undefined
    const { arn, node, burnIn } = after
    const last = asked.get(arn)
    if (last?.attempt === burnIn.attempt) return undefined
    asked.set(arn, burnIn)
    const verdict = verdictOf(truth.get(keys.verdict(node)))
    if (verdict?.verdict !== 'FAIL' || verdict.arn !== arn) return undefined
    if (verdict.attempt !== last?.attempt) return undefined
    if (last.certificate !== undefined && burnIn.certificate === undefined) return undefined
    const same = new Set(burnIn.checks.map((own) => JSON.stringify(own)))
    const failed = new Set(
      verdict.checks.flatMap((own) => (own.verdict === 'FAIL' ? own.name : [])),
    )
    const left = last.checks.find((own) => failed.has(own.name) && !same.has(JSON.stringify(own)))
    if (left === undefined) return undefined
    const attempt = `attempt ${String(burnIn.attempt)} of ${node}`
    return { rule: DEPTH, text: `${by.label} asks for no ${left.name} in ${attempt}; it failed` }
  }
  const judgeReboot = (id: string, { by }: SeenOf<'reboot'>): Breach | undefined => {
    const what = `${by.label} rebooted ${id}`
    if (by.role !== 'reconcile') return { rule: INTENT, text: `${what}; reconcile alone may` }
    const agedMs = truth.nowMs() - (meantAtMs.get(id) ?? -Infinity)
    if (books.nodeOfInstance(id)?.burnIn?.reboot === undefined && agedMs > LATE_MS) {
      return { rule: INTENT, text: `${what}, and its node does not say so` }
    }
    const left = truth.processes(id).map((own) => own.replicaId)
    if (left.length === 0) return undefined
    return { rule: INTENT, text: `${what} with ${left.join(', ')} on it` }
  }
  return {
    see: {
      write: ({ by, changes }) => {
        if (by.role !== 'reconcile') return undefined
        for (const change of changes) if (kindOf(change.key) === 'node') noteIntent(change)
        return firstOf(changes.filter(isBody), (change) => judgeSuite(change, by))
      },
      reboot: (seen) => firstOf(seen.instanceIds, (id) => judgeReboot(id, seen)),
    },
    full: () => {
      for (const id of meantAtMs.keys()) if (truth.instance(id) === undefined) meantAtMs.delete(id)
      for (const arn of asked.keys()) {
        const id = arn.slice(arn.lastIndexOf('/') + 1)
        if (truth.instance(id) === undefined) asked.delete(arn)
      }
      return undefined
    },
  }
}
