/**
 * The fence: only the pass that took the newest epoch may write, and each of its writes says so.
 *
 * A write without the check would be applied today and overwrite another pass's work one day, so
 * the check itself is asked for, not only that nothing went wrong.
 */
import { keys } from '#shared/store/keys.ts'
import type { Condition, Write } from '#shared/store/store.ts'
import type { SeenOf } from '../traffic.ts'
import { passOf } from './items.ts'
import type { Breach, Knowledge, Rule } from './rule.ts'

const RULE = 'fence'
const PASS = keys.pass()

export function makeFence({ truth, passes }: Knowledge): Rule {
  const judgeOthers = ({ by, writes, changes }: SeenOf<'write'>): Breach | undefined => {
    const checked = writes.map(checkedEpoch).find((epoch) => epoch !== undefined)
    const what = `${by.label} wrote ${changes.map(({ key }) => key.sk).join(', ')}`
    if (checked === undefined) return { rule: RULE, text: `${what} without a check of the epoch` }
    const own = passes.of(by)?.taken?.epoch
    if (own !== checked) {
      const text = `${what} under epoch ${String(checked)}, and had taken ${String(own)}`
      return { rule: RULE, text }
    }
    const newest = passOf(truth.get(PASS))?.epoch
    if (newest === checked) return undefined
    const text = `${what} under epoch ${String(checked)}, when ${String(newest)} was taken`
    return { rule: RULE, text }
  }
  const judgePass = ({ by, writes, changes }: SeenOf<'write'>): Breach | undefined => {
    const change = changes.find(({ key }) => key.pk === PASS.pk)
    const [was, is] = [passOf(change?.before)?.epoch, passOf(change?.after)?.epoch]
    const from = `${by.label} wrote the pass item, epoch ${String(was)} to ${String(is)}`
    if (is === undefined || is < (was ?? 0)) {
      return { rule: RULE, text: `${from}: epochs only grow` }
    }
    const put = writes.find((write) => write.kind === 'put' && write.item.pk === PASS.pk)
    if (is > (was ?? 0)) {
      const isGuarded = (put?.when ?? []).some((own) => isGuard(own, was))
      return isGuarded ? undefined : { rule: RULE, text: `${from} without a condition` }
    }
    const own = passes.of(by)?.taken?.epoch
    const isOwn = own === is && (put?.when ?? []).some((condition) => isGuard(condition, is))
    return isOwn ? undefined : { rule: RULE, text: `${from}, and had taken ${String(own)}` }
  }
  return {
    see: {
      write: (seen) => {
        if (seen.by.role !== 'reconcile') return undefined
        const ofPass = seen.changes.some(({ key }) => key.pk === PASS.pk)
        return ofPass ? judgePass(seen) : judgeOthers(seen)
      },
    },
  }
}

function isGuard(condition: Condition, epoch: number | undefined): boolean {
  if (epoch === undefined) return condition.is === 'absent'
  return condition.is === 'equal' && condition.field === 'epoch' && condition.value === epoch
}

function checkedEpoch(write: Write): number | undefined {
  if (write.kind !== 'check' || write.key.pk !== PASS.pk) return undefined
  for (const condition of write.when) {
    if (condition.is === 'equal' && condition.field === 'epoch') return Number(condition.value)
  }
  return undefined
}
