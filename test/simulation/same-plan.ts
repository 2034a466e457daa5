/**
 * Rule 9: the same snapshot gives the same plan, in whatever order the table's parts were read.
 *
 * A parallel scan brings items in another order each time, so now and then the plan of a pass is
 * made twice from what it read, once from the back, and both must say the same to the last byte.
 */
import { snapshotSettings } from '#shared/controllers/reconcile/reconcile.ts'
import type { ReconcileSettings } from '#shared/controllers/reconcile/settings.ts'
import { passSchema } from '#shared/model/facts.ts'
import { plan } from '#shared/planner/plan.ts'
import { snapshotOf } from '#shared/store/snapshot.ts'
import type { SeenOf, Violation } from './traffic.ts'

/** Judges one scan in so many; a plan costs as much as all the rest of a pass. */
const EVERY = 25

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
      const texts = [items, items.toReversed()].map((own) =>
        JSON.stringify(plan(snapshotOf(own, context)).plan),
      )
      if (texts[0] === texts[1]) return undefined
      const where = difference(texts)
      const text = `${by.label} would plan otherwise had it read from the back: ${where}`
      return { rule: '9 same plan', text, atMs }
    },
  }
}

/** The first place where the two differ, with some of what stands around it. */
function difference([a = '', b = '']: readonly string[]): string {
  let at = 0
  while (at < a.length && a[at] === b[at]) at += 1
  const from = Math.max(0, at - 80)
  return `…${a.slice(from, at + 80)}… against …${b.slice(from, at + 80)}…`
}
