/**
 * The emulated EC2 of one drover, and what the agents on its machines are told.
 *
 * Everything a real node gets from its launch template stands in the agent's environment: which
 * table, which region, where the services answer.
 */
import { delimiter, dirname, join } from 'node:path'
import type { Logger } from '#shared/base/log.ts'
import type { Ec2Event, Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import { dockerSocket } from './ec2/instance-containers.ts'
import { catalog, typesByName } from '#shared/catalog/catalog.ts'
import { GPUS_VARIABLE, gpusOf } from './emulated-gpus/gpu.ts'
import { openJournal } from './ec2/journal.ts'
import { startLocalEc2, type LocalEc2 } from './ec2/local-ec2.ts'
import { ec2OptionsOf, type MarketFile } from './ec2/market-file.ts'
import type { Hardware } from './hardware.ts'
import { kernelLogOf } from './kernel-logs.ts'
import { ACCOUNT, CREDENTIALS, REGION, TABLES } from './laptop.ts'
import type { Pace } from './pace.ts'
import { signalProcess } from './processes.ts'
import type { StateDirectory } from './state-directory.ts'

export type MachinesOptions = {
  readonly state: StateDirectory
  readonly market: MarketFile
  readonly speed: number
  readonly pace: Pace
  readonly tableEndpoint: string
  readonly hardware: Hardware
  readonly onEvent: (event: Ec2Event) => void
  readonly log: Logger
}

const ROOT = join(import.meta.dirname, '..')
const GPU_TOOLS = join(import.meta.dirname, 'emulated-gpus', 'bin')
/** Small, because every emulated machine writes to the same disk. */
const DISK_CHECK_MIB = 4
/** A laptop sleeps over the weekend, and the herd must still learn which of its machines ended. */
const FORGET_AFTER_MS = 4 * 86_400_000

export function startMachines(options: MachinesOptions): Promise<LocalEc2> {
  const { state, market, speed, log } = options
  if (state.portsMoved) endStaleAgents(state, log)
  return startLocalEc2({
    stateDirectory: state.path,
    port: state.ports.ec2,
    options: {
      ...ec2OptionsOf(market, { speed }),
      account: ACCOUNT,
      forgetAfterMs: FORGET_AFTER_MS,
    },
    agentCommand: [process.execPath, join(ROOT, 'agent', 'main.ts')],
    environmentOf: (instance) => environmentOf(options, instance),
    onEvent: options.onEvent,
    log,
  })
}

/**
 * Agents of an earlier run whose table and metadata have moved to other ports. They are started
 * anew with the right ones; their replicas run on and are adopted.
 */
function endStaleAgents(state: StateDirectory, log: Logger): void {
  const last = openJournal(join(state.path, 'ec2.json')).read()
  for (const { process: agent, instanceId } of last?.agents ?? []) {
    if (agent === undefined || !signalProcess(agent, 'SIGKILL')) continue
    log.info('an agent is started anew: its table has moved', { instanceId })
  }
}

function environmentOf(
  { state, pace, tableEndpoint, hardware }: MachinesOptions,
  instance: Ec2Instance,
): Record<string, string> {
  const { instanceType } = instance
  const faults = hardware.faultsOf(instanceType)
  const type = typesByName(catalog).get(instanceType)
  const gpuFaults = hardware.gpuFaultsOf(instanceType)
  const gpus = type === undefined ? [] : gpusOf(instance, type, gpuFaults)
  const tools = gpus.length === 0 ? [] : [GPU_TOOLS]
  return {
    // So that `node` in a command is this very Node, and GPUs are asked what they are here.
    PATH: [dirname(process.execPath), ...tools, process.env['PATH'] ?? ''].join(delimiter),
    ...(gpus.length === 0 ? {} : { [GPUS_VARIABLE]: JSON.stringify(gpus) }),
    // Nothing of this machine's own kernel or disk is an emulated machine's fault.
    DROVER_KERNEL_LOG: kernelLogOf(state.path, instance),
    DROVER_DISK_FULL_PERCENT: '100',
    DROVER_HEALTH_LOOK_MS: String(pace.healthLookMs),
    NODE_COMPILE_CACHE: state.files.compileCache,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL_DYNAMODB: tableEndpoint,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    DROVER_TABLE: TABLES.main,
    DROVER_ADDRESS: '127.0.0.1',
    DROVER_HEAD_POLL_MS: String(pace.headPollMs),
    DROVER_METADATA_POLL_MS: String(pace.metadataPollMs),
    // The disk is everybody's here, and how full it is nobody's fault.
    DROVER_DATA_MAX_PERCENT: '100',
    DROVER_IMAGES_MAX_PERCENT: '100',
    DROVER_DATA_FILES: 'true',
    DROVER_CHECK_DISK_MIB: String(DISK_CHECK_MIB),
    DROVER_DOCKER_SOCKET: dockerSocket(),
    DROVER_EXAMPLES: join(ROOT, 'examples'),
    ...(faults.length === 0 ? {} : { DROVER_FAULTY_CHECKS: JSON.stringify(faults) }),
  }
}

/** Ends every machine and every process of it; the journal remembers them as terminated. */
export async function endMachines(ec2: LocalEc2): Promise<void> {
  for (const { instanceId, state } of ec2.world.instances()) {
    if (state === 'pending' || state === 'running') ec2.world.kill(instanceId)
  }
  await ec2.close()
}
