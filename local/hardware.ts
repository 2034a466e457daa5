/**
 * Bad hardware on request: which checks are to fail on machines that start from now on.
 */
import { z } from 'zod'
import type { Faults } from '#agent/faults.ts'

export const hardwareSchema = z.strictObject({
  /** Absent: every type. */
  instanceType: z.string().optional(),
  check: z.enum(['cpu', 'memory', 'disk', 'gpu']),
  /** Share of the machines, or of the GPUs; 0 mends them. */
  rate: z.number().min(0).max(1),
  intermittent: z.boolean().default(false),
})
export type HardwareFault = z.infer<typeof hardwareSchema>

export type GpuFault = Pick<HardwareFault, 'rate' | 'intermittent'>

export type Hardware = {
  all(): readonly HardwareFault[]
  /** Replaces what was said of the same type and check. */
  set(fault: HardwareFault): void
  /** Those that an agent's checks are to run into. */
  faultsOf(instanceType: string): Faults
  /** Those of its GPUs, which NVIDIA's tools tell of. */
  gpuFaultsOf(instanceType: string): readonly GpuFault[]
}

export function makeHardware(): Hardware {
  const faults = new Map<string, HardwareFault>()
  const of = (instanceType: string): HardwareFault[] =>
    [...faults.values()].filter(
      (own) => own.instanceType === undefined || own.instanceType === instanceType,
    )
  return {
    all: () => [...faults.values()],
    set: (fault) => {
      const key = `${fault.instanceType ?? '*'}/${fault.check}`
      if (fault.rate === 0) faults.delete(key)
      else faults.set(key, fault)
    },
    faultsOf: (instanceType) =>
      of(instanceType).flatMap(({ check, rate, intermittent }) =>
        check === 'gpu' ? [] : [{ check, rate, intermittent }],
      ),
    gpuFaultsOf: (instanceType) => of(instanceType).filter(({ check }) => check === 'gpu'),
  }
}
