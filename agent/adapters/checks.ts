/**
 * The burn-in checks this agent knows, by name. A name it does not know is UNKNOWN, never a pass.
 */
import type { CheckResult } from '#shared/model/verdict.ts'
import type { RunCheck } from '../ports.ts'
import { checkCpu } from './cpu-check.ts'
import { checkDisk } from './disk-check.ts'
import { isCorrupted, type Faults } from '../faults.ts'

export type CheckOptions = {
  readonly instanceId: string
  /** The file that the disk check may write. */
  readonly path: string
  readonly faults: Faults
  readonly diskMib: number
}

export function makeChecks(options: CheckOptions): RunCheck {
  const checks: Readonly<Record<string, (corrupted: boolean) => Promise<CheckResult>>> = {
    cpu: (corrupted) => checkCpu({ corrupted }),
    disk: (corrupted) => checkDisk({ corrupted, path: options.path, sizeMib: options.diskMib }),
  }
  return (name) => {
    const run = { check: name, instanceId: options.instanceId }
    const check = checks[name]
    if (check !== undefined) return check(isCorrupted(options.faults, run, Math.random))
    const text = 'this agent does not know the check'
    return Promise.resolve({ name: name.slice(0, 63), verdict: 'UNKNOWN', measures: {}, text })
  }
}
