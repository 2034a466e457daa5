/** Base replicas sit on on-demand machines whenever any can be had. */
import { isGang } from '#shared/model/gang.ts'
import { keys } from '#shared/store/keys.ts'
import { makeBuyable, zonesOpenTo } from './buyable.ts'
import { baseOf, desiredOf } from './available.ts'
import { waitsForOthers } from './dependencies.ts'
import { statusOf, versionsStanding } from './items.ts'
import { quotasNow } from './quotas-in-use.ts'
import { isGood, runningNow } from './replicas-now.ts'
import type { Knowledge, Rule } from './rule.ts'

export function makeOnDemand(knowledge: Knowledge): Rule {
  const { truth, books } = knowledge
  return {
    unsettled: () => {
      const running = runningNow(truth)
      const buyable = makeBuyable(knowledge)
      const impossible = truth.impossibleWorkloads()
      const quotas = quotasNow(knowledge)
      return [...books.workloads.values()].flatMap((workload) => {
        const base = baseOf(workload)
        const status = statusOf(truth.get(keys.status('workload', workload.name)))
        if (workload.deletedAtMs !== undefined || impossible.has(workload.name)) return []
        if (base === 0) return []
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
