/**
 * What runs, runs where it was bound, and never on a machine that failed its test.
 *
 * This judges the world and not the table. Hardware counts as bad when it was bad both at the start
 * and at the end of its last test, and the agent said so: hardware that broke afterwards, or an
 * agent that hid it, is nobody's fault here.
 */
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import type { SeenOf } from '../traffic.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { kindOf, reportOf } from './items.ts'
import { type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = '1 bound after burn-in'
const ARN_AT = keys.report('').pk.length

type Test = { attempt: number; badAtStart: boolean; failed: boolean }

export function makeProcesses({ truth, books }: Knowledge): Rule {
  /** By instance: ids of the replicas that were ever bound there. */
  const bound = new Map<string, Set<string>>()
  const tests = new Map<string, Test>()
  for (const [arn, { replicas }] of books.bodies) {
    bound.set(idOf(arn), new Set(replicas.map((own) => own.id)))
  }
  const takeBody = (change: Change): void => {
    const { before, after, added } = bodyChange(change)
    if (after === undefined) return
    const id = idOf(after.arn)
    const ids = bound.get(id) ?? new Set<string>()
    bound.set(id, ids)
    for (const own of added) ids.add(own.id)
    const attempt = after.burnIn?.attempt
    if (attempt === undefined || attempt === before?.burnIn?.attempt) return
    tests.set(id, { attempt, badAtStart: !truth.hardwareIsGood(id), failed: false })
  }
  const takeReport = ({ key, after }: Change): void => {
    const id = idOf(key.pk.slice(ARN_AT))
    const test = tests.get(id)
    if (test === undefined || !test.badAtStart || test.failed) return
    const burnIn = reportOf(after)?.burnIn
    if (burnIn?.state !== 'finished' || burnIn.attempt !== test.attempt) return
    const told = burnIn.checks.some((check) => check.verdict === 'FAIL')
    test.failed = told && !truth.hardwareIsGood(id)
  }
  const judge = ({ instanceId, replicaId }: SeenOf<'process'>): Breach | undefined => {
    const what = `a process of ${replicaId} was started on ${instanceId}`
    if (bound.get(instanceId)?.has(replicaId) !== true) {
      return { rule: RULE, text: `${what}, where it was never bound` }
    }
    const test = tests.get(instanceId)
    if (test?.failed !== true) return undefined
    return { rule: RULE, text: `${what}, whose hardware failed attempt ${String(test.attempt)}` }
  }
  return {
    see: {
      write: ({ by, changes }) => {
        if (by.role === 'reconcile') changes.filter(isBody).forEach(takeBody)
        else if (by.role === 'agent') {
          for (const change of changes) if (kindOf(change.key) === 'report') takeReport(change)
        }
        return undefined
      },
      process: (seen) => (seen.what === 'started' ? judge(seen) : undefined),
    },
    full: () => {
      for (const id of bound.keys()) {
        if (truth.instance(id) !== undefined) continue
        bound.delete(id)
        tests.delete(id)
      }
      return undefined
    },
  }
}

const idOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1)
