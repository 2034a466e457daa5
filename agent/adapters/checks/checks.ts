/**
 * The burn-in checks this agent knows. One it does not know is UNKNOWN, never a pass, and so is one
 * with parameters that it cannot make sense of.
 */
import {
  checkSpecSchema,
  GPU_RESET,
  type AskedCheck,
  type CheckKind,
  type CheckOf,
} from '#shared/model/burn-in.ts'
import type { GpuIdentity } from '#shared/model/hardware.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import { judgeClock } from '../../checks/clock.ts'
import { couldNot, found, type FaultyDevice, type Finding } from '../../checks/finding.ts'
import { judgeKernelLog } from '../../checks/kernel-log.ts'
import { judgeXids } from '../../checks/nvidia/xid-log.ts'
import { isCorrupted, type Faults } from '../../faults.ts'
import type { RunCheck } from '../../ports.ts'
import { lastRecordOf, readKernelLog, readKernelLogAround } from '../kernel-log.ts'
import type { RunContainer } from '../docker/check-container.ts'
import { checkCommand } from './command.ts'
import { checkCpu } from './cpu.ts'
import { checkDisk } from './disk.ts'
import { checkDcgm, checkDevices, checkGpuMemory, checkHeat, checkLink, resetGpus } from './gpu.ts'
import { checkMemory } from './memory.ts'
import { checkNetwork } from './network.ts'

export type CheckOptions = {
  readonly instanceId: string
  /** The file that the disk check may write. */
  readonly path: string
  readonly faults: Faults
  /** Of this machine, as they were when the agent started. */
  readonly gpus: readonly GpuIdentity[]
  /** The most that it writes, whatever a suite says. */
  readonly diskMib: number
  /** `/dev/kmsg`, or a file like it. */
  readonly kernelLog: string
  /** `host:port` of the table. */
  readonly endpoint: string
  /** Absent on a machine without a container engine. */
  readonly runContainer?: RunContainer
  /** This machine's clock less DynamoDB's; throws TableError where there is no answer. */
  readonly clockOffsetMs: () => Promise<number>
}

type Check<K extends CheckKind> = (spec: CheckOf<K>, corrupted: boolean) => Promise<Finding>

export function makeChecks(options: CheckOptions): RunCheck {
  const { endpoint, path, diskMib, kernelLog } = options
  let files = 0
  // A run that was overtaken may still write: the next one has a file of its own.
  const nextFile = (): string => `${path}.${String((files += 1) % 2)}`
  // An agent that starts anew has forgotten it, and takes old XIDs for new: too strict, never too
  // mild.
  let resetAtRecord: number | undefined
  const checks: { readonly [K in CheckKind]: Check<K> } = {
    cpu: checkCpu,
    memory: checkMemory,
    disk: ({ mib, timeoutSeconds }, corrupted) =>
      checkDisk({ corrupted, path: nextFile(), timeoutSeconds, mib: Math.min(mib, diskMib) }),
    clock: () => options.clockOffsetMs().then(judgeClock, couldNot),
    network: (spec) => checkNetwork(spec, endpoint),
    kernel: () => fromLog(() => judgeKernelLog(readKernelLog(kernelLog))),
    'gpu-devices': checkDevices,
    'gpu-memory': checkGpuMemory,
    'gpu-link': checkLink,
    'gpu-heat': checkHeat,
    'gpu-xid': () =>
      fromLog(() => {
        const [before, after] = readKernelLogAround(kernelLog, resetAtRecord)
        return judgeXids(after, before)
      }),
    dcgm: checkDcgm,
    command: (spec) => checkCommand(spec, options),
  }
  const run = <K extends CheckKind>(spec: CheckOf<K>): Promise<Finding> => {
    const check = checks[spec.check as K] as Check<K>
    const which = { check: spec.check, instanceId: options.instanceId }
    return check(spec, isCorrupted(options.faults, which, Math.random))
  }
  const reset = async (): Promise<Finding> => {
    const finding = await resetGpus(GPU_RESET)
    if (finding.verdict !== 'PASS') return finding
    return fromLog(() => {
      resetAtRecord = lastRecordOf(kernelLog)
      return finding
    })
  }
  const answer = (asked: AskedCheck): Promise<Finding> => {
    if (asked.check === GPU_RESET.check) return reset()
    const spec = checkSpecSchema.safeParse(asked)
    return spec.success ? run(spec.data) : Promise.resolve(unknownTo(asked))
  }
  return async (asked) => {
    const startMs = performance.now()
    const { devices, ...finding } = await answer(asked)
    const durationMs = Math.round(performance.now() - startMs)
    const faulty = named(devices ?? [], options.gpus)
    const told = faulty.length === 0 ? {} : { devices: faulty }
    return { name: asked.name, ...finding, ...told, durationMs }
  }
}

/** By their UUIDs; one that was not there when the agent started has no name. */
function named(
  devices: readonly FaultyDevice[],
  gpus: readonly GpuIdentity[],
): NonNullable<CheckResult['devices']> {
  return devices.flatMap(({ at, verdict, text }) => {
    const gpu = gpus.find((own) => ('bus' in at ? own.bus === at.bus : own.index === at.index))
    return gpu === undefined ? [] : [{ uuid: gpu.uuid, verdict, text: text.slice(0, 200) }]
  })
}

/** The kernel's log may not be there, or not for this user. */
function fromLog(judge: () => Finding): Promise<Finding> {
  try {
    return Promise.resolve(judge())
  } catch (error) {
    return Promise.resolve(couldNot(error))
  }
}

function unknownTo({ check }: AskedCheck): Finding {
  return found('UNKNOWN', `this agent does not know the check ${check}, or not so`)
}
