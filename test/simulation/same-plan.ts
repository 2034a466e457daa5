/**
 * Rule 9: the same snapshot gives the same plan, in whatever order the table's parts were read.
 *
 * A parallel scan brings items in another order each time, so now and then the plan of a pass is
 * made twice from what it read, once from the back, and both must say the same to the last byte.
 */
import { describeError } from '#shared/base/errors.ts'
import { snapshotSettings } from '#shared/controllers/reconcile/reconcile.ts'
import type { ReconcileSettings } from '#shared/controllers/reconcile/settings.ts'
import { passSchema } from '#shared/model/facts.ts'
import { plan } from '#shared/planner/plan.ts'
import { snapshotOf, type SnapshotContext } from '#shared/store/snapshot.ts'
import type { Item } from '#shared/store/store.ts'
import type { SeenOf, Violation } from './traffic.ts'

/** Judges one scan in so many; a plan costs as much as all the rest of a pass. */
const EVERY = 100

export type SamePlan = { see(scan: SeenOf<'scan'>): Violation | undefined }

export function makeSamePlan(settings: ReconcileSettings): SamePlan {
  let scans = 0
  return {
    see: ({ items, by, atMs }) => {
      scans += 1
      const pass = passSchema.safeParse(items.find((own) => own.pk === 'pass'))
      if (scans % EVERY !== 0 || by.role !== 'reconcile' || !pass.success) return undefined
      const nowMs = pass.data.startedAtMs
      const context = { nowMs, pass: pass.data, settings: snapshotSettings(settings) }
      const plans = [items, items.toReversed()].map((own) => planOf(own, context))
      const failed = plans.find((own) => own.error !== undefined)
      if (failed !== undefined) {
        const text = `no plan can be made of what ${by.label} read: ${String(failed.error)}`
        return { rule: '11 one bad thing', text, atMs }
      }
      const texts = plans.map((own) => own.text)
      if (texts[0] === texts[1]) return undefined
      const where = difference(texts)
      const text = `${by.label} would plan otherwise had it read from the back: ${where}`
      return { rule: '9 same plan', text, atMs }
    },
  }
}

type Planned = { readonly text: string; readonly error?: string }

function planOf(items: readonly Item[], context: SnapshotContext): Planned {
  try {
    return { text: JSON.stringify(plan(snapshotOf(items, context)).plan) }
  } catch (error) {
    return { text: '', error: describeError(error).slice(0, 300) }
  }
}

/** The first place where the two differ, with some of what stands around it. */
function difference([a = '', b = '']: readonly string[]): string {
  let at = 0
  while (at < a.length && a[at] === b[at]) at += 1
  const from = Math.max(0, at - 80)
  return `…${a.slice(from, at + 80)}… against …${b.slice(from, at + 80)}…`
}
