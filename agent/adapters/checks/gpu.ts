/**
 * The GPU checks: NVIDIA's own tools are asked, `agent/checks/nvidia/` judges what they say.
 *
 * A tool that is missing or finds no driver is INFRA: the image is at fault. One that hangs is
 * UNKNOWN: the driver waits for a GPU that does not answer, and a second look will tell.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '#shared/base/log.ts'
import type { CheckOf, CheckSpec } from '#shared/model/burn-in.ts'
import type { GpuIdentity } from '#shared/model/hardware.ts'
import { LIMITS } from '#shared/model/limits.ts'
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
/** How nvidia-smi ends where the driver is up and finds none. */
const NO_DEVICES = 6

/** Never throws, nor does any below. */
export const checkDevices = (spec: CheckOf<'gpu-devices'>): Promise<Finding> =>
  withSmi(spec, (log) => judgeDevices(log, spec))

export const checkGpuMemory = (spec: CheckOf<'gpu-memory'>): Promise<Finding> =>
  withSmi(spec, (log) => judgeMemory(log, spec))

export const checkHeat = (spec: CheckOf<'gpu-heat'>): Promise<Finding> =>
  withSmi(spec, (log) => judgeHeat(log, spec))

async function withSmi(
  { timeoutSeconds }: Pick<CheckSpec, 'timeoutSeconds'>,
  judge: (log: SmiLog) => Finding,
): Promise<Finding> {
  const ended = await ask(SMI, timeoutSeconds * 1000)
  if ('verdict' in ended) return ended
  const log = readSmiLog(ended.stdout)
  return 'unreadable' in log ? judgeSilence(ended, log.unreadable) : judge(log)
}

/**
 * GPUs that nvidia-smi shows on this machine; none where it is not there. A driver that is still
 * waking up is asked a few times.
 */
export async function readGpus(log?: Logger): Promise<readonly GpuIdentity[]> {
  for (let tried = 1; ; tried += 1) {
    const ended = await ask(SMI, SMI_TIMEOUT_MS)
    const isMissing = 'verdict' in ended && ended.text.includes('ENOENT')
    // Whether there should be any is for `gpu-devices` to say.
    const isNone = !('verdict' in ended) && ended.code === NO_DEVICES
    if (isMissing || isNone) return []
    const seen = 'verdict' in ended ? undefined : readSmiLog(ended.stdout)
    const gpus = seen === undefined || 'unreadable' in seen ? [] : identitiesOf(seen)
    if (gpus.length > 0 || tried === LIMITS.gpuReadTries) return gpus
    log?.warn('nvidia-smi is here and shows no GPU', { tried })
    await sleep(LIMITS.gpuReadPauseMs)
  }
}

/** What nvidia-smi answers whoever watches; undefined where it cannot be asked. */
export async function askSmi(): Promise<Ended | undefined> {
  try {
    return await runTool({ words: SMI, timeoutMs: SMI_TIMEOUT_MS })
  } catch {
    return undefined
  }
}

/** How long a load runs before the links are looked at. */
const WARM_UP_MS = 5_000

/** PCIe under load, where the suite names one, and NVLink. */
export async function checkLink(spec: CheckOf<'gpu-link'>): Promise<Finding> {
  // Two questions, and a load that needs its time.
  const half = { timeoutSeconds: Math.max(1, (spec.timeoutSeconds - WARM_UP_MS / 1000) / 2) }
  const pcie = await underLoad(spec.load, () =>
    withSmi(half, (log) => judgeLink(log, spec, spec.load !== undefined)),
  )
  const ended = await ask(['nvidia-smi', 'nvlink', '-s'], half.timeoutSeconds * 1000)
  const nvlink = 'verdict' in ended ? ended : linksOf(ended, spec)
  const verdict = worst([pcie.verdict, nvlink.verdict])
  const text = [pcie, nvlink].find((own) => own.verdict === verdict)?.text
  const finding = found(verdict, text, { ...pcie.measures, ...nvlink.measures })
  return { ...finding, devices: [...(pcie.devices ?? []), ...(nvlink.devices ?? [])] }
}

/** A tool that fails and shows no GPU has shown no link either. */
function linksOf(ended: Ended, { minNvlinks }: CheckOf<'gpu-link'>): Finding {
  const isSilent = ended.code !== 0 && !/^GPU \d+:/m.test(ended.stdout)
  if (isSilent) return judgeSilence(ended, 'it told of no links')
  return judgeNvlink(ended.stdout, minNvlinks)
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

/**
 * Resets every GPU. Where that cannot be done, a vGPU for one or a GPU that somebody holds, it is a
 * warning: the checks behind it say whether the machine is sound.
 */
export async function resetGpus({ timeoutSeconds }: { timeoutSeconds: number }): Promise<Finding> {
  const ended = await ask(['nvidia-smi', '--gpu-reset'], timeoutSeconds * 1000)
  if ('verdict' in ended) return { ...ended, verdict: 'WARN' }
  if (ended.code === 0) return found('PASS')
  const said = [ended.stdout, ended.stderr].join('\n').trim().split('\n')[0] ?? ''
  return found('WARN', `the GPUs could not be reset: ${said}`)
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
