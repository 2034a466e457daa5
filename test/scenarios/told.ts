/**
 * What several kinds of lines need: values out of words, and what agents report.
 */
import { parse } from 'yaml'
import { must } from '#shared/base/assert.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Node } from '#shared/model/node.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import type { World } from './world.ts'

/** `a.b=[x, y]` as `{a: {b: ['x', 'y']}}`; values are YAML without spaces. */
export function documentOf(words: readonly string[]): Record<string, unknown> {
  const document: Record<string, unknown> = {}
  for (const word of words) {
    const [path = '', value = ''] = word.split(/=(.*)/s)
    let at = document
    const parts = path.split('.')
    for (const part of parts.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>
    // What is quoted stays as it is, and so does a URL.
    const spaced = value.replace(/"[^"]*"|:\/\/|[:,]/g, (own) => (own.length > 1 ? own : `${own} `))
    at[parts.at(-1) ?? ''] = parse(spaced)
  }
  return document
}

export function reported(
  id: string,
  version: string,
  state: string,
): Snapshot['reports'][number]['replicas'][number] {
  const ready = state === 'ready'
  const phase = ready ? ('ready' as const) : ('running' as const)
  const restarts = state === 'crashing' ? LIMITS.crashLoopRestarts : 0
  return { id, version, phase, ready, restarts, addresses: {}, gpus: [] }
}

export function changeReport(
  world: World,
  node: string,
  changes: Partial<Snapshot['reports'][number]>,
): void {
  const { arn } = machineOf(world, node)
  world.reports = world.reports.map((own) => (own.arn === arn ? { ...own, ...changes } : own))
}

export function machineOf(world: World, name: string): NonNullable<Node['machine']> {
  return must(world.nodes.find((own) => own.name === name)?.machine, `machine of ${name}`)
}
