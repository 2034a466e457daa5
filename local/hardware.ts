/**
 * Bad hardware on request: which checks are to fail on machines that start from now on.
 */
import { z } from 'zod'
import type { Faults } from '#agent/faults.ts'

export const hardwareSchema = z.strictObject({
  /** Absent: every type. */
  instanceType: z.string().optional(),
  check: z.enum(['cpu', 'memory', 'disk']),
  /** Share of the machines; 0 mends them. */
  rate: z.number().min(0).max(1),
  intermittent: z.boolean().default(false),
})
export type HardwareFault = z.infer<typeof hardwareSchema>

export type Hardware = {
  all(): readonly HardwareFault[]
  /** Replaces what was said of the same type and check. */
  set(fault: HardwareFault): void
  faultsOf(instanceType: string): Faults
}

export function makeHardware(): Hardware {
  const faults = new Map<string, HardwareFault>()
  return {
    all: () => [...faults.values()],
    set: (fault) => {
      const key = `${fault.instanceType ?? '*'}/${fault.check}`
      if (fault.rate === 0) faults.delete(key)
      else faults.set(key, fault)
    },
    faultsOf: (instanceType) =>
      [...faults.values()]
        .filter((own) => own.instanceType === undefined || own.instanceType === instanceType)
        .map(({ check, rate, intermittent }) => ({ check, rate, intermittent })),
  }
}
