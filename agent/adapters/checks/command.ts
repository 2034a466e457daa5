/**
 * The `command` check: runs a program of the user's own on the machine; `agent/checks/command.ts`
 * judges how it ended.
 */
import type { CheckOf } from '#shared/model/burn-in.ts'
import { judgeCommand } from '../../checks/command.ts'
import { couldNot, type Finding } from '../../checks/finding.ts'
import { runTool } from './run-tool.ts'

/** Never throws. */
export async function checkCommand(spec: CheckOf<'command'>): Promise<Finding> {
  try {
    const timeoutMs = spec.timeoutSeconds * 1000
    return judgeCommand(await runTool({ words: spec.command, timeoutMs }))
  } catch (error) {
    return couldNot(error)
  }
}
