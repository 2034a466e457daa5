/**
 * Lines about roll-outs: what a person orders, and how the replicas of a version come up.
 */
import { must } from '#shared/base/assert.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { changeReport, documentOf, reported } from './told.ts'
import type { World } from './world.ts'

type Verb = (world: World, words: readonly string[]) => void

export const rolloutVerbs: Readonly<Record<string, Verb>> = {
  /** A person holds its roll-out, or lets it go on. */
  pause: (world, [name = '']) => {
    orderRollout(world, name, { paused: true })
  },
  resume: (world, [name = '']) => {
    orderRollout(world, name, { paused: false })
  },
  /** A person goes back from what the spec says to its so-many-th revision. */
  undo: (world, [name = '', number = '1']) => {
    const { spec } = workloadOf(world, name)
    const to = world.revisions.find((own) => own.workload === name && own.number === Number(number))
    const from = versionOf(templateOf(spec))
    const undo = { from, to: must(to, `revision ${number}`).version }
    orderRollout(world, name, { paused: false, undo })
  },
  /**
   * Every agent has obeyed and tells of it: all that run are ready, but for those of the so-many-th
   * revisions: `agents unready=2`, or `agents crashing=2`.
   */
  agents: (world, words) => {
    const { unready, crashing } = documentOf(words)
    for (const assignment of world.assignments) {
      const old = world.reports.find((own) => own.arn === assignment.arn)
      const replicas = assignment.replicas
        .filter((own) => own.order === 'run')
        .map((own) => {
          const isOf = (number: unknown): boolean =>
            world.revisions.some((one) => one.version === own.version && one.number === number)
          if (isOf(unready)) return reported(own.id, own.version, 'running')
          if (!isOf(crashing)) return reported(own.id, own.version, 'ready')
          const before = old?.replicas.find((one) => one.id === own.id)?.restarts ?? 0
          const exit = { code: 1, reason: 'Error', atMs: world.nowMs }
          const down = reported(own.id, own.version, 'running')
          return { ...down, phase: 'failed' as const, restarts: before + 1, lastExit: exit }
        })
      changeReport(world, assignment.node, {
        observedGeneration: assignment.generation,
        replicas,
      })
    }
  },
}

function workloadOf(world: World, name: string): WorkloadItem {
  return must(
    world.workloads.find((own) => own.name === name),
    `workload ${name}`,
  )
}

/** As the admin API keeps them: one that is applied again becomes the newest. */
export function keepRevision(world: World, { name, uid, spec }: WorkloadItem): void {
  const template = templateOf(spec)
  const version = versionOf(template)
  const mine = world.revisions.filter((own) => own.workload === name)
  const newest = Math.max(0, ...mine.map((own) => own.number))
  if (mine.some((own) => own.version === version && own.number === newest)) return
  world.revisions = world.revisions.filter((own) => own.uid !== uid || own.version !== version)
  world.revisions.push({
    ...{ kind: 'revision', workload: name, uid, version, number: newest + 1 },
    ...{ template, createdAtMs: world.nowMs },
  })
}

function orderRollout(
  world: World,
  name: string,
  what: { paused: boolean; undo?: { from: string; to: string } },
): void {
  const { uid } = workloadOf(world, name)
  world.orders = world.orders.filter((own) => own.target !== 'workload' || own.name !== name)
  const common = { kind: 'order', target: 'workload', name, uid, verb: 'rollout' } as const
  world.orders.push({ ...common, ...what, atMs: world.nowMs })
}
