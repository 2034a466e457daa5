/**
 * Lines about scaling: what metrics say, and what `autoscale` makes of it.
 *
 * `metric web 240` says so of the first metric that has a total, `metric web 3 2` of the second;
 * `metric web unread` that it cannot be read. `usage web cpu=80` is what each replica uses, in
 * percent of what it requests.
 */
import { must } from '#shared/base/assert.ts'
import { templateKey } from '#shared/model/assignment.ts'
import { isUsage } from '#shared/model/metric.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { resourcesOf } from '#shared/model/workload.ts'
import { decideTarget, type Look } from '#shared/planner/scaling/decide.ts'
import { countOfWorkload } from '#shared/planner/scaling/scaled.ts'
import { draftOf } from '#shared/planner/fold.ts'
import { replicasByUid } from '#shared/planner/replicas.ts'
import { readingsOf } from '#shared/planner/scaling/usage.ts'
import type { Reading } from '#shared/planner/scaling/wants.ts'
import { documentOf } from './told.ts'
import type { World } from './world.ts'

type Verb = (world: World, words: readonly string[]) => void

/** What totals say, by workload. */
const totals = new WeakMap<World, Map<string, Reading[]>>()

export const scaleVerbs: Readonly<Record<string, Verb>> = {
  metric: (world, [name = '', said = '', which = '1']) => {
    const all = totals.get(world) ?? new Map<string, Reading[]>()
    const own = all.get(name) ?? []
    const reason = { code: 'TimedOut', text: 'no answer' }
    own[Number(which) - 1] =
      said === 'unread' ? { kind: 'unread', reason } : { kind: 'total', value: Number(said) }
    totals.set(world, all.set(name, own))
  },
  usage: (world, [name = '', ...words]) => {
    const { cpu = 0, memory = 0, gpu = 0 } = documentOf(words) as Record<string, number>
    for (const { arn, replicas, templates } of world.assignments) {
      const used = replicas
        .filter((own) => own.workload === name)
        .map((own) => {
          const need = resourcesOf(must(templates[templateKey(own)], 'a template'))
          const usage = {
            cpuMilli: Math.round((need.cpuMilli * cpu) / 100),
            memoryMib: Math.round((need.memoryMib * memory) / 100),
            gpuMilli: Math.round((need.gpuMilli * gpu) / 100),
          }
          return [own.id, usage] as const
        })
      world.beats = world.beats.map((own) =>
        own.arn === arn ? { ...own, usage: { ...own.usage, ...Object.fromEntries(used) } } : own,
      )
    }
  },
}

/** A line for each scaled workload: what it is to have, and why. */
export function rescale(world: World): string[] {
  const draft = draftOf(world)
  const replicas = replicasByUid(draft)
  return world.workloads.filter(isScaled).map((workload) => {
    const { uid, name } = workload
    const { metrics } = workload.spec.scale
    const outside = metrics.filter((own) => !isUsage(own) && own.type !== 'schedule')
    const said = totals.get(world)?.get(name) ?? []
    const unread: Reading = { kind: 'unread', reason: { code: 'NotRead', text: 'not told' } }
    const readings = readingsOf(metrics, {
      totalOf: (metric) => said[outside.indexOf(metric)] ?? unread,
      usage: {
        replicas: replicas.get(uid) ?? [],
        draft,
        beats: new Map(world.beats.map((own) => [own.arn, own])),
        nowMs: world.nowMs,
      },
    })
    const target = world.targets.find((own) => own.uid === uid)
    const status = world.workloadStatuses.find((own) => own.uid === uid)
    const before = countOfWorkload(workload, { target, status })
    const made = decideTarget({ workload, target, status, readings, nowMs: world.nowMs })
    world.targets = [...world.targets.filter((own) => own.uid !== uid), made]
    const { replicas: count, held, limited, lastScaled } = made
    const reasons = [held, limited].flatMap((own) =>
      own === undefined ? [] : [`${own.code}: ${own.text}`],
    )
    const why = count === before ? reasons : [must(lastScaled, 'a time').why]
    const is = count === before ? `stays ${String(count)}` : `${String(before)} → ${String(count)}`
    return `${name} ${is}${why.length === 0 ? '' : `  ${why.join('; ')}`}`
  })
}

function isScaled(workload: WorkloadItem): workload is Look['workload'] {
  return workload.spec.scale !== undefined
}
