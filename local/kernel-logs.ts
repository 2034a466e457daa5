/**
 * The kernels' logs of emulated machines: empty, for nothing of this computer's own kernel is their
 * fault, until hardware is made to fail.
 *
 * A machine that runs already then has its kernel complain, as a real one would; what comes of it
 * is for its agent and the policy to say.
 */
import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isCorrupted } from '#agent/faults.ts'
import { must } from '#shared/base/assert.ts'
import { catalog, typesByName } from '#shared/catalog/catalog.ts'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import { instanceDirectory } from './ec2/instance-processes.ts'
import { gpusOf } from './emulated-gpus/gpu.ts'
import type { HardwareFault } from './hardware.ts'

/** Of this boot; made where there is none yet. */
export function kernelLogOf(
  stateDirectory: string,
  { instanceId, bootNumber }: Pick<Ec2Instance, 'instanceId' | 'bootNumber'>,
): string {
  const directory = instanceDirectory(stateDirectory, instanceId)
  const path = join(directory, `kernel-${String(bootNumber)}.log`)
  if (existsSync(path)) return path
  mkdirSync(dirname(path), { recursive: true })
  appendFileSync(path, '')
  return path
}

const LINES = {
  // What computes wrongly says nothing of it.
  cpu: undefined,
  memory: 'EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0_Chan#0_DIMM#0',
  disk: 'I/O error, dev nvme1n1, sector 2048 op 0x0:(READ) flags 0x0',
} as const

/** What the kernel of this machine says when such hardware fails; mostly nothing. */
export function complaintsOf(instance: Ec2Instance, fault: HardwareFault): readonly string[] {
  const { instanceType, instanceId } = instance
  const { check, rate, intermittent } = fault
  if (rate === 0 || (fault.instanceType ?? instanceType) !== instanceType) return []
  if (check === 'gpu') {
    const type = must(typesByName(catalog).get(instanceType), instanceType)
    const bad = gpusOf(instance, type, [fault]).filter(({ badness }) => Math.random() < badness)
    return bad.map(({ bus }) => `NVRM: Xid (PCI:${bus}): 95, Uncontained ECC error`)
  }
  const line = LINES[check]
  const which = { check, instanceId }
  const isBad = isCorrupted([{ check, rate, intermittent }], which, Math.random)
  return line !== undefined && isBad ? [line] : []
}

export function complain(
  stateDirectory: string,
  instances: readonly Ec2Instance[],
  fault: HardwareFault,
): void {
  for (const instance of instances) {
    const lines = complaintsOf(instance, fault).map((line) => `${line}\n`)
    if (lines.length > 0) appendFileSync(kernelLogOf(stateDirectory, instance), lines.join(''))
  }
}
