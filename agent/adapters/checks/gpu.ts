/**
 * The GPU checks: NVIDIA's own tools are asked, `agent/checks/nvidia/` judges what they say.
 *
 * A tool that is missing or finds no driver is INFRA: the image is at fault. One that hangs is
 * UNKNOWN: the driver waits for a GPU that does not answer, and a second look will tell.
 */
import type { CheckOf } from '#shared/model/burn-in.ts'
import type { GpuIdentity } from '#shared/model/hardware.ts'
import { worst } from '#shared/model/verdict.ts'
import type { Ended } from '../../checks/command.ts'
import { couldNot, found, type Finding } from '../../checks/finding.ts'
import { judgeDcgm } from '../../checks/nvidia/dcgm.ts'
import { judgeNvlink } from '../../checks/nvidia/nvlink.ts'
import { judgeDevices, judgeHeat, judgeLink, judgeMemory } from '../../checks/nvidia/smi-checks.ts'
import { identitiesOf, readSmiLog, type SmiLog } from '../../checks/nvidia/smi-log.ts'
import { judgeSilence } from '../../checks/nvidia/smi-silence.ts'
import { runTool, startTool } from './run-tool.ts'

const SMI = ['nvidia-smi', '-q', '-x'] as const
const SMI_TIMEOUT_MS = 30_000

/** Never throws, nor does any below. */
export const checkDevices = (spec: CheckOf<'gpu-devices'>): Promise<Finding> =>
  withSmi((log) => judgeDevices(log, spec))

export const checkGpuMemory = (spec: CheckOf<'gpu-memory'>): Promise<Finding> =>
  withSmi((log) => judgeMemory(log, spec))

export const checkHeat = (spec: CheckOf<'gpu-heat'>): Promise<Finding> =>
  withSmi((log) => judgeHeat(log, spec))

async function withSmi(judge: (log: SmiLog) => Finding): Promise<Finding> {
  const ended = await ask(SMI, SMI_TIMEOUT_MS)
  if ('verdict' in ended) return ended
  const log = readSmiLog(ended.stdout)
  return 'unreadable' in log ? judgeSilence(ended, log.unreadable) : judge(log)
}

/** GPUs that nvidia-smi shows on this machine; none where it is not there. */
export async function readGpus(): Promise<readonly GpuIdentity[]> {
  const ended = await ask(SMI, SMI_TIMEOUT_MS)
  const log = 'verdict' in ended ? undefined : readSmiLog(ended.stdout)
  return log === undefined || 'unreadable' in log ? [] : identitiesOf(log)
}

/** How long a load runs before the links are looked at. */
const WARM_UP_MS = 5_000

/** PCIe under load, where the suite names one, and NVLink. */
export async function checkLink(spec: CheckOf<'gpu-link'>): Promise<Finding> {
  const pcie = await underLoad(spec.load, () =>
    withSmi((log) => judgeLink(log, spec, spec.load !== undefined)),
  )
  const ended = await ask(['nvidia-smi', 'nvlink', '-s'], SMI_TIMEOUT_MS)
  const nvlink = 'verdict' in ended ? ended : judgeNvlink(ended.stdout, spec.minNvlinks)
  const verdict = worst([pcie.verdict, nvlink.verdict])
  const text = [pcie, nvlink].find((own) => own.verdict === verdict)?.text
  const finding = found(verdict, text, { ...pcie.measures, ...nvlink.measures })
  return { ...finding, devices: [...(pcie.devices ?? []), ...(nvlink.devices ?? [])] }
}

async function underLoad(
  load: readonly string[] | undefined,
  look: () => Promise<Finding>,
): Promise<Finding> {
  if (load === undefined) return look()
  try {
    const running = await startTool(load, WARM_UP_MS)
    if (running.ended !== undefined) return found('INFRA', 'the load ended before it was looked at')
    try {
      return await look()
    } finally {
      running.end()
    }
  } catch (error) {
    return couldNot(error)
  }
}

export async function checkDcgm({ level, timeoutSeconds }: CheckOf<'dcgm'>): Promise<Finding> {
  const words = ['dcgmi', 'diag', '-r', String(level), '-j']
  const ended = await ask(words, timeoutSeconds * 1000)
  return 'verdict' in ended ? ended : judgeDcgm(ended.stdout, level)
}

async function ask(words: readonly string[], timeoutMs: number): Promise<Ended | Finding> {
  try {
    const ended = await runTool({ words, timeoutMs })
    if (!ended.isLate) return ended
    return found('UNKNOWN', `${String(words[0])} did not end within ${String(timeoutMs / 1000)} s`)
  } catch (error) {
    return couldNot(error)
  }
}
