/**
 * The burn-in checks this agent knows. One it does not know is UNKNOWN, never a pass, and so is one
 * with parameters that it cannot make sense of.
 */
import {
  checkSpecSchema,
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
import { readKernelLog } from '../kernel-log.ts'
import { checkCommand } from './command.ts'
import { checkCpu } from './cpu.ts'
import { checkDisk } from './disk.ts'
import { checkDcgm, checkDevices, checkGpuMemory, checkHeat, checkLink } from './gpu.ts'
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
  /** This machine's clock less DynamoDB's; throws TableError where there is no answer. */
  readonly clockOffsetMs: () => Promise<number>
}

type Check<K extends CheckKind> = (spec: CheckOf<K>, corrupted: boolean) => Promise<Finding>

export function makeChecks(options: CheckOptions): RunCheck {
  const { endpoint, path, diskMib, kernelLog } = options
  let files = 0
  // A run that was overtaken may still write: the next one has a file of its own.
  const nextFile = (): string => `${path}.${String((files += 1) % 2)}`
  const withKernelLog = (judge: (log: readonly string[]) => Finding): Promise<Finding> =>
    Promise.resolve(judgeLog(judge, kernelLog))
  const checks: { readonly [K in CheckKind]: Check<K> } = {
    cpu: checkCpu,
    memory: checkMemory,
    disk: ({ mib, timeoutSeconds }, corrupted) =>
      checkDisk({ corrupted, path: nextFile(), timeoutSeconds, mib: Math.min(mib, diskMib) }),
    clock: () => options.clockOffsetMs().then(judgeClock, couldNot),
    network: (spec) => checkNetwork(spec, endpoint),
    kernel: () => withKernelLog(judgeKernelLog),
    'gpu-devices': checkDevices,
    'gpu-memory': checkGpuMemory,
    'gpu-link': checkLink,
    'gpu-heat': checkHeat,
    'gpu-xid': () => withKernelLog(judgeXids),
    dcgm: checkDcgm,
    command: checkCommand,
  }
  const run = <K extends CheckKind>(spec: CheckOf<K>): Promise<Finding> => {
    const check = checks[spec.check as K] as Check<K>
    const which = { check: spec.check, instanceId: options.instanceId }
    return check(spec, isCorrupted(options.faults, which, Math.random))
  }
  return async (asked) => {
    const startMs = performance.now()
    const spec = checkSpecSchema.safeParse(asked)
    const { devices, ...finding } = spec.success ? await run(spec.data) : unknownTo(asked)
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

function judgeLog(judge: (log: readonly string[]) => Finding, path: string): Finding {
  try {
    return judge(readKernelLog(path))
  } catch (error) {
    return couldNot(error)
  }
}

function unknownTo({ check }: AskedCheck): Finding {
  return found('UNKNOWN', `this agent does not know the check ${check}, or not so`)
}
