/**
 * One writer per kind of item, and verdicts that never become milder.
 *
 * Everyone states facts or wishes of their own; a function that wrote another's item could undo
 * what its owner is just deciding. A node's agent may touch only the items that end in its own ARN.
 */
import { VERDICT_ORDER } from '#shared/model/verdict.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import type { Caller, Role } from '../traffic.ts'
import { kindOf, verdictOf } from './items.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const WRITER: Readonly<Record<string, Role>> = {
  spec: 'admin-api',
  order: 'admin-api',
  revision: 'admin-api',
  signal: 'interruption',
  report: 'agent',
  beat: 'agent',
  verdict: 'burn-in',
  rates: 'burn-in',
  pushed: 'admin-api',
  target: 'autoscale',
  market: 'market',
  proposal: 'repack',
  pass: 'reconcile',
  launch: 'reconcile',
  node: 'reconcile',
  assign: 'reconcile',
  status: 'reconcile',
  shortage: 'reconcile',
  brake: 'reconcile',
}

export function makeWriters({ truth }: Knowledge): Rule {
  const wrongWriter = ({ key }: Change, by: Caller): Breach | undefined => {
    const kind = kindOf(key)
    const what = `${by.label} wrote ${key.pk} / ${key.sk}`
    const owner = WRITER[kind]
    if (owner !== by.role) {
      return { rule: 'one writer', text: `${what}, which only ${owner ?? 'nobody'} may write` }
    }
    if (owner !== 'agent') return undefined
    const arn = truth.instance(by.instanceId ?? '')?.arn
    const own = arn === undefined ? undefined : keys.report(arn).pk.slice('report'.length)
    if (own !== undefined && key.pk.slice(kind.length) === own) return undefined
    const text = `${what}, and runs on ${by.instanceId ?? 'no machine'}`
    return { rule: 'one writer', text }
  }
  return {
    see: {
      write: ({ by, changes }) =>
        firstOf(changes, (change) =>
          change.expired ? undefined : (wrongWriter(change, by) ?? milderVerdict(change, by)),
        ),
    },
  }
}

/** A verdict on the same run says at least as bad a thing as the one before it. */
function milderVerdict({ key, before, after }: Change, by: Caller): Breach | undefined {
  if (before === undefined || kindOf(key) !== 'verdict') return undefined
  const [was, is] = [verdictOf(before), verdictOf(after)]
  if (was === undefined) return undefined
  const run = `${was.node}, boot ${was.bootId}, attempt ${String(was.attempt)} of ${was.suite}`
  if (is === undefined) {
    return { rule: 'verdicts', text: `${by.label} took away the verdict on ${run}` }
  }
  const sameRun =
    was.arn === is.arn &&
    was.bootId === is.bootId &&
    was.attempt === is.attempt &&
    was.suite === is.suite
  const isMilder = VERDICT_ORDER.indexOf(is.verdict) < VERDICT_ORDER.indexOf(was.verdict)
  if (!sameRun || !isMilder) return undefined
  return { rule: 'verdicts', text: `${run}: ${was.verdict} became ${is.verdict} (${by.label})` }
}
