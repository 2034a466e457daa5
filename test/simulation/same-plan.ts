/**
 * Rule 9: the same snapshot gives the same plan, in whatever order the table's parts were read, and
 * whatever is remembered of the passes before.
 *
 * A parallel scan brings items in another order each time, so now and then the plan of a pass is
 * made twice from what it read, the other time from the back, or even from copies that nobody has
 * seen before, and both must say the same to the last byte.
 */
import { describeError } from '#shared/base/errors.ts'
import { snapshotSettings } from '#shared/controllers/reconcile/reconcile.ts'
import type { ReconcileSettings } from '#shared/controllers/reconcile/settings.ts'
import { passSchema } from '#shared/model/facts.ts'
import { plan } from '#shared/planner/plan.ts'
import { snapshotOf, type SnapshotContext } from '#shared/store/snapshot.ts'
import type { Item } from '#shared/store/store.ts'
import type { SeenOf, Violation } from './traffic.ts'

/**
 * How many scans go by from one that is judged to the next. A plan of which nothing is known costs
 * as much as ten passes; one that is only read from the back costs one, and where places are short
 * there is most to choose.
 */
const EVERY = { unknown: 1_000, shortFromBack: 60 } as const

export type SamePlan = { see(scan: SeenOf<'scan'>): Violation | undefined }

export function makeSamePlan(settings: ReconcileSettings): SamePlan {
  let [scans, shortScans] = [0, 0]
  /** What the second plan is made from, where this scan is judged. */
  const other = (items: readonly Item[]): readonly Item[] | undefined => {
    scans += 1
    if (scans % EVERY.unknown === 0) return structuredClone(items).toReversed()
    if (!items.some((own) => own.pk === 'shortage')) return undefined
    shortScans += 1
    return shortScans % EVERY.shortFromBack === 0 ? items.toReversed() : undefined
  }
  return {
    see: ({ items, by, atMs }) => {
      const again = by.role === 'reconcile' ? other(items) : undefined
      if (again === undefined) return undefined
      const pass = passSchema.safeParse(items.find((own) => own.pk === 'pass'))
      if (!pass.success) return undefined
      const nowMs = pass.data.startedAtMs
      const context = { nowMs, pass: pass.data, settings: snapshotSettings(settings) }
      const plans = [items, again].map((own) => planOf(own, context))
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
