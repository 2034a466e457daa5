/**
 * Base replicas sit on on-demand machines whenever any can be had.
 *
 * Raising the base of a workload that runs moves nothing (a known gap: that is repack's work). So
 * only those are judged whose number of on-demand replicas was the same all their life, and none
 * that are scaled.
 */
import { isGang } from '#shared/model/gang.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { keys } from '#shared/store/keys.ts'
import { makeBuyable, zonesOpenTo } from './buyable.ts'
import { desiredOf, reliableFloorOf } from './available.ts'
import { waitsForOthers } from './dependencies.ts'
import { kindOf, statusOf, versionsStanding, workloadOf } from './items.ts'
import { quotasNow } from './quotas-in-use.ts'
import { isGood, runningNow } from './replicas-now.ts'
import type { Knowledge, Rule } from './rule.ts'

export function makeOnDemand(knowledge: Knowledge): Rule {
  const { truth, books } = knowledge
  /** By uid: the number it has had, or `changed`. */
  const bases = new Map<string, number | 'changed'>()
  const take = (workload: WorkloadItem | undefined): void => {
    if (workload === undefined || workload.deletedAtMs !== undefined) return
    const known = bases.get(workload.uid)
    const base = workload.spec.scale === undefined ? baseOf(workload) : 'changed'
    bases.set(workload.uid, known === undefined || known === base ? base : 'changed')
  }
  for (const workload of books.workloads.values()) take(workload)
  return {
    see: {
      write: ({ changes }) => {
        for (const { key, after } of changes) if (kindOf(key) === 'spec') take(workloadOf(after))
        return undefined
      },
    },
    unsettled: () => {
      const running = runningNow(truth)
      const buyable = makeBuyable(knowledge)
      const impossible = truth.impossibleWorkloads()
      const quotas = quotasNow(knowledge)
      return [...books.workloads.values()].flatMap((workload) => {
        const base = bases.get(workload.uid)
        const status = statusOf(truth.get(keys.status('workload', workload.name)))
        if (workload.deletedAtMs !== undefined || impossible.has(workload.name)) return []
        if (base === undefined || base === 'changed' || base === 0) return []
        if (!quotas.isCovered(workload)) return []
        if (waitsForOthers(status)) return []
        const versions = versionsStanding(workload, status)
        const all = running.get(workload.name) ?? []
        const good = all.filter((own) => isGood(own, versions))
        // Whom a gang lacks it finds room for all at once, its base among them: whether it should
        // be whole is for convergence to say.
        if (isGang(workload) && good.length < desiredOf(workload)) return []
        const there = good.filter((own) => own.capacityType === 'on-demand').length
        if (there >= base) return []
        const zones = zonesOpenTo(workload, all)
        const where = buyable.where(workload.spec, { ...zones, capacityType: 'on-demand' })
        if (where === undefined) return []
        const short = `${String(there)} of ${String(base)} base replicas are on on-demand machines`
        return [`8 on-demand base: workload ${workload.name}: ${short}; there is ${where}`]
      })
    },
  }
}

/** Replicas that must be on on-demand machines. */
function baseOf(workload: WorkloadItem): number {
  const { spot, onDemandBase, onDemandPercent } = workload.spec.capacity
  const desired = desiredOf(workload)
  // One that takes no spot at all is judged where it is bound.
  if (spot === 'never') return 0
  const share = Math.ceil((onDemandPercent * desired) / 100)
  const reliable = reliableFloorOf(workload.spec, desired)
  return Math.min(desired, Math.max(onDemandBase, share, reliable))
}
