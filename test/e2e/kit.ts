/**
 * What the end-to-end tests share: a drover of their own in a directory of their own, and an
 * auditor that looks at the machine's processes from outside.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSettled, until, type Herd } from '#local/demo/herd.ts'
import { processesOf } from '#local/demo/processes-of.ts'
import { processesWith } from '#local/processes.ts'

export const QUICKSTART = join('examples', 'quickstart.yaml')

export function temporaryDirectory(name: string): string {
  return realpathSync(mkdtempSync(join(tmpdir(), `drover-e2e-${name}-`)))
}

/** Ends whatever a failed test has left of its herd, then the directory. */
export function sweepDirectory(directory: string): void {
  for (const { pid } of processesOf(directory)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself.
    }
  }
  rmSync(directory, { recursive: true, force: true })
}

/** Every workload has what it wants. */
export function settled(herd: Herd, withinMs = 60_000): Promise<true> {
  return until({ what: 'all workloads are ready', withinMs }, async () => {
    const workloads = await herd.workloads()
    return workloads.length > 0 && workloads.every(isSettled)
  })
}

/** Waits until the auditor has nothing to say; throws with what it says otherwise. */
export async function clean(herd: Herd, directory: string, withinMs = 30_000): Promise<void> {
  let faults: readonly string[] = []
  try {
    await until({ what: 'nothing is orphaned', withinMs }, async () => {
      faults = await orphansOf(herd, directory)
      return faults.length === 0
    })
  } catch (error) {
    throw new Error(`orphans:\n${faults.join('\n')}`, { cause: error })
  }
}

/**
 * What should not be: machines without a node, nodes without a machine, processes without a machine
 * or a replica, doubled agents and replicas, a second drover or engine.
 */
export async function orphansOf(herd: Herd, directory: string): Promise<readonly string[]> {
  const [nodes, instances, workloads] = await Promise.all([
    herd.nodes(),
    herd.instances(),
    herd.workloads(),
  ])
  const replicas = (await Promise.all(workloads.map(({ name }) => herd.replicas(name)))).flat()
  const alive = new Set(instances.map(({ instanceId }) => instanceId))
  const claimed = new Set(nodes.map(({ instanceId }) => instanceId))
  const bound = new Set(replicas.filter((own) => own.node !== undefined).map(({ id }) => id))
  const faults = [
    ...[...alive].filter((id) => !claimed.has(id)).map((id) => `instance ${id} has no node`),
    ...nodes
      .filter(({ instanceId = '' }) => !alive.has(instanceId))
      .map(({ name, phase }) => `node ${name} (${phase}) has no instance`),
  ]
  const counts = new Map<string, number>()
  for (const { pid, environment, command } of processesWith({ DROVER_STATE_DIR: directory })) {
    const { DROVER_INSTANCE_ID: instance = '', DROVER_REPLICA_ID: replica } = environment
    const what = `pid ${String(pid)} (${command.join(' ')})`
    if (!alive.has(instance)) faults.push(`${what} runs for ${instance}, which is no more`)
    if (replica !== undefined && !bound.has(replica)) faults.push(`${what} runs for ${replica}`)
    const key = replica ?? agentOf(instance)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  for (const [key, count] of counts)
    if (count > 1) faults.push(`${key} runs ${String(count)} times`)
  for (const { instanceId = '', phase, name } of nodes) {
    const isUp = phase === 'ready' || phase === 'testing' || phase === 'draining'
    if (isUp && !counts.has(agentOf(instanceId))) faults.push(`node ${name} has no agent`)
  }
  for (const id of bound) if (!counts.has(id)) faults.push(`replica ${id} has no process`)
  const others = processesOf(directory).map(({ command }) => command)
  const engines = others.filter((command) => command.includes('--db-path')).length
  const drovers = others.filter((command) => command.includes('local/main.ts')).length
  if (engines !== 1) faults.push(`${String(engines)} engines run`)
  if (drovers !== 1) faults.push(`${String(drovers)} drovers run`)
  return faults
}

const agentOf = (instanceId: string): string => `the agent of ${instanceId}`
