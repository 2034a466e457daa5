/**
 * The `command` check: runs a program of the user's own on the machine, or in a container of an
 * image; `agent/checks/command.ts` judges how it ended.
 */
import { checkName, type CheckOf } from '#shared/model/burn-in.ts'
import type { GpuIdentity } from '#shared/model/hardware.ts'
import { judgeCommand, type Ended } from '../../checks/command.ts'
import { couldNot, found, type Finding } from '../../checks/finding.ts'
import type { RunContainer } from '../docker/check-container.ts'
import { runTool } from './run-tool.ts'

type Spec = CheckOf<'command'>

export type CommandMeans = {
  readonly gpus: readonly GpuIdentity[]
  /** Absent on a machine without a container engine. */
  readonly runContainer?: RunContainer
}

/** Never throws. */
export async function checkCommand(spec: Spec, means: CommandMeans): Promise<Finding> {
  const { image } = spec
  if (image !== undefined && means.runContainer === undefined) {
    return found('INFRA', `there is no container engine here to run ${image}`)
  }
  try {
    return judgeCommand(await run(spec, means))
  } catch (error) {
    return couldNot(error)
  }
}

async function run(spec: Spec, { gpus, runContainer }: CommandMeans): Promise<Ended> {
  const { image, command } = spec
  const timeoutMs = spec.timeoutSeconds * 1000
  if (image === undefined || runContainer === undefined) {
    return runTool({ words: command ?? [], timeoutMs })
  }
  const own = { name: checkName(spec), image, command, timeoutMs }
  return runContainer({ ...own, hasGpus: gpus.length > 0 })
}
