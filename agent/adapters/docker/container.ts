/**
 * The container that a replica becomes, as the Docker Engine is asked for it.
 *
 * It shares the machine's network, so a port is the machine's own, as it is for a process. Memory
 * is a hard end and processor a share, as in Kubernetes: who asks for little gets more while others
 * rest. What an agent must know to find it again stands in its labels.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import type { GpuShare } from '#shared/model/assignment.ts'
import { gpuShareSchema } from '#shared/model/assignment.ts'
import { parseMib, parseMilli } from '#shared/model/quantities.ts'
import type { ReplicaLaunch } from '../../effects.ts'
import { expandCommand, ownEnvironment, type NodeFacts } from '../launch.ts'

const MIB = 1_048_576
/** The engine refuses less. */
const MEMORY_LEAST_MIB = 6
/** Docker's share of a whole processor. */
const SHARES_PER_CPU = 1_024
const SHARES_LEAST = 2
/** More than any replica needs, and few enough to leave the machine alive. */
const PROCESSES_MAX = 16_384

/** Where a container finds its data, whatever that is. */
const DATA_MOUNT = '/drover/data'

export const LABEL = 'drover.replica'
const FACTS = 'drover.facts'
export const OWNER_LABEL = 'drover.agent'

export type Owner = Pick<NodeFacts, 'instanceId' | 'directory'>

/** Two emulated herds on one machine may have instances of the same id, so the directory counts. */
export const ownerOf = ({ instanceId, directory }: Owner): string => `${instanceId}:${directory}`

/** The query that finds an agent's containers, ended ones too. */
export function ownedBy(owner: Owner): Record<string, string> {
  const label = [`${OWNER_LABEL}=${ownerOf(owner)}`]
  return { all: '1', filters: JSON.stringify({ label }) }
}

const factsSchema = z.object({
  replicaId: z.string(),
  workload: z.string(),
  version: z.string(),
  ports: z.record(z.string(), z.int()),
  gpus: z.array(gpuShareSchema),
  graceSeconds: z.int(),
})
export type ContainerFacts = z.infer<typeof factsSchema>

/** Two characters at the least, and none that the engine refuses. */
export function containerName(replicaId: string, owner: Owner): string {
  const agent = hash('sha256', ownerOf(owner)).slice(0, 8)
  return `drover-${agent}-${replicaId.replaceAll(/[^a-zA-Z0-9_.-]/g, '.')}`
}

/** What the labels say; undefined for a container that is no replica's. */
export function factsOf(labels: Readonly<Record<string, string>>): ContainerFacts | undefined {
  try {
    const facts = factsSchema.parse(JSON.parse(labels[FACTS] ?? ''))
    return facts.replicaId === labels[LABEL] ? facts : undefined
  } catch {
    return undefined
  }
}

/** The body of `POST /containers/create`. */
export function containerOf(
  launch: ReplicaLaunch,
  ports: Readonly<Record<string, number>>,
  node: NodeFacts,
): Record<string, unknown> {
  const { template, replicaId, workload, version, gpus, graceSeconds } = launch
  const environment = containerEnvironment(launch, ports, node)
  const { command } = template
  const facts: ContainerFacts = {
    ...{ replicaId, workload, version, ports: { ...ports }, gpus: [...gpus], graceSeconds },
  }
  return {
    Image: template.image,
    // The whole command is the user's: what the image would run is replaced, not given words.
    ...(command === undefined ? {} : { Entrypoint: expandCommand(command, environment), Cmd: [] }),
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    Labels: {
      [OWNER_LABEL]: ownerOf(node),
      [LABEL]: replicaId,
      [FACTS]: JSON.stringify(facts),
    },
    StopSignal: 'SIGTERM',
    Healthcheck: { Test: ['NONE'] },
    HostConfig: hostConfigOf(launch),
  }
}

/** Also of what runs inside it later. The machine's own PATH and directories mean nothing there. */
export function containerEnvironment(
  launch: ReplicaLaunch,
  ports: Readonly<Record<string, number>>,
  node: NodeFacts,
): Record<string, string> {
  const own = {
    ...ownEnvironment(launch, ports, node.instanceId),
    ...(launch.template.data === undefined ? {} : { DROVER_DATA: DATA_MOUNT }),
  }
  // Images made for CUDA ask for all GPUs; who was given none gets none.
  return launch.gpus.length === 0 ? { ...own, NVIDIA_VISIBLE_DEVICES: 'void' } : own
}

function hostConfigOf({ template, gpus, dataPath }: ReplicaLaunch): Record<string, unknown> {
  const { cpu, memory } = template.resources
  const bytes = Math.max(MEMORY_LEAST_MIB, parseMib(memory) ?? 0) * MIB
  const shares = Math.round(((parseMilli(cpu) ?? 0) * SHARES_PER_CPU) / 1_000)
  return {
    NetworkMode: 'host',
    // An engine that maps users would not let a container into the machine's network otherwise.
    UsernsMode: 'host',
    CpuShares: Math.max(SHARES_LEAST, shares),
    ...{ Memory: bytes, MemorySwap: bytes },
    // Shared memory counts as memory, and 64 MiB of it stop many a training.
    ShmSize: bytes,
    PidsLimit: PROCESSES_MAX,
    // Without it, a command that does not care for SIGTERM never hears of it.
    Init: true,
    RestartPolicy: { Name: 'no' },
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    ...(dataPath === undefined ? {} : { Mounts: [dataMount(dataPath)] }),
    ...(gpus.length === 0 ? {} : { DeviceRequests: [gpuRequest(gpus)] }),
  }
}

function dataMount(path: string): Record<string, unknown> {
  return { Type: 'bind', Source: path, Target: DATA_MOUNT, ReadOnly: true }
}

function gpuRequest(gpus: readonly GpuShare[]): Record<string, unknown> {
  const ids = gpus.map((own) => String(own.index))
  return { Driver: 'nvidia', DeviceIDs: ids, Capabilities: [['gpu']] }
}
