/**
 * What a replica's process finds around it: its environment, its command line, its ports.
 */
import { createServer } from 'node:net'
import type { Environment } from '#shared/base/environment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { ReplicaLaunch } from '../effects.ts'

/**
 * What a replica inherits of the agent's own environment: enough to find programs, nothing secret.
 */
const INHERITED = [
  'PATH',
  'HOME',
  'USER',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'DROVER_PROGRAMS',
  'DROVER_EXAMPLES',
] as const

export type NodeFacts = {
  readonly instanceId: string
  /** The agent's own directory. */
  readonly directory: string
  /** The agent's own environment. */
  readonly environment: Environment
}

/**
 * The environment of a replica. What drover itself says cannot be overridden by the template: a
 * process that lied about its id could not be found again.
 */
export function replicaEnvironment(
  launch: ReplicaLaunch,
  ports: Readonly<Record<string, number>>,
  facts: NodeFacts,
): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = facts.environment[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  const stateDirectory = facts.environment['DROVER_STATE_DIR']
  return {
    ...Object.fromEntries(inherited),
    ...ownEnvironment(launch, ports, facts.instanceId),
    CUDA_VISIBLE_DEVICES: launch.gpus.map((gpu) => gpu.index).join(','),
    DROVER_AGENT_DIR: facts.directory,
    ...(launch.dataPath === undefined ? {} : { DROVER_DATA: launch.dataPath }),
    ...(stateDirectory === undefined ? {} : { DROVER_STATE_DIR: stateDirectory }),
  }
}

/** What is the replica's own, wherever it runs. */
export function ownEnvironment(
  launch: ReplicaLaunch,
  ports: Readonly<Record<string, number>>,
  instanceId: string,
): Record<string, string> {
  const named = launch.template.ports.flatMap(({ name }) => {
    const port = ports[name]
    return port === undefined ? [] : [[portVariable(name), String(port)] as const]
  })
  const first = named[0]
  return {
    ...launch.template.env,
    ...Object.fromEntries(named),
    ...(first === undefined ? {} : { PORT: first[1] }),
    DROVER_REPLICA_ID: launch.replicaId,
    DROVER_WORKLOAD: launch.workload,
    DROVER_VERSION: launch.version,
    DROVER_NODE: launch.node,
    DROVER_INSTANCE_ID: instanceId,
    DROVER_GRACE_SECONDS: String(launch.graceSeconds),
  }
}

function portVariable(name: string): string {
  return `PORT_${name.toUpperCase().replaceAll('-', '_')}`
}

/**
 * The words with each `$(NAME)` replaced from the environment, as Kubernetes does: an unknown name
 * stays as it is, and `$$(NAME)` is a literal `$(NAME)`.
 */
export function expandCommand(words: readonly string[], environment: Environment): string[] {
  const reference = /\$(\$\([^)]*\))|\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g
  return words.map((word) =>
    word.replace(reference, (whole: string, escaped?: string, name?: string) => {
      if (escaped !== undefined) return escaped
      return environment[name ?? ''] ?? whole
    }),
  )
}

/**
 * A free port for each name: the one it had before where that is still free, and none of `taken`.
 */
export async function choosePorts(
  names: readonly string[],
  before: Readonly<Record<string, number>>,
  taken: ReadonlySet<number>,
): Promise<Record<string, number>> {
  const chosen: Record<string, number> = {}
  const used = new Set(taken)
  for (const name of names) {
    const port = await choosePort(before[name], used)
    used.add(port)
    chosen[name] = port
  }
  return chosen
}

async function choosePort(before: number | undefined, used: ReadonlySet<number>): Promise<number> {
  if (before !== undefined && !used.has(before) && (await isFree(before))) return before
  const span = LIMITS.replicaPortLast - LIMITS.replicaPortFirst + 1
  // Agents on one machine start in different places, so they seldom try the same port at once.
  const start = Math.floor(Math.random() * span)
  for (let tried = 0; tried < LIMITS.replicaPortTries; tried += 1) {
    const port = LIMITS.replicaPortFirst + ((start + tried) % span)
    if (!used.has(port) && (await isFree(port))) return port
  }
  throw new Error(`no free port among ${String(LIMITS.replicaPortTries)} tried`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => {
      server.close(() => {
        resolve(true)
      })
    })
  })
}
