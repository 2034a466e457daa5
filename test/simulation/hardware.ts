/**
 * What machines are made of, and what their burn-in finds.
 *
 * A fault is in the hardware: it lasts, goes with a reset or a reboot, comes and goes, or comes
 * with age. GPUs belong to their host, so one that is bad is bad again under whatever instance the
 * host is handed out next; a machine without GPUs shows nobody what it is. Checks are honest about
 * what they look at, but for the flaky ones, which could not tell, or hang.
 */
import { hash } from 'node:crypto'
import { catalog, typesByName } from '#shared/catalog/catalog.ts'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import { GPU_RESET, isAboutGpus, type AskedCheck } from '#shared/model/burn-in.ts'
import type { GpuIdentity } from '#shared/model/hardware.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import type { Chance } from './chance.ts'
import type { Faults } from './faults.ts'

export type HardwareFault =
  | 'none'
  | 'for ever'
  | 'until a reset'
  | 'until a reboot'
  | 'now and then'
  /** What it boots makes every check fail; its hardware is sound. */
  | 'a bad image'

type Luck = { readonly chance: Chance; readonly faults: Faults }

const KINDS: readonly HardwareFault[] = [
  ...(['for ever', 'for ever', 'now and then'] as const),
  ...(['until a reset', 'until a reboot'] as const),
]

/** How a new machine is: with GPUs as its host is, without as luck has it. */
export function faultOf(
  name: string,
  instance: Ec2Instance,
  { chance, faults }: Luck,
): HardwareFault {
  const gpus = gpusOf(instance).map(({ uuid }) => uuid)
  const isBad = faults.strikes('badHardware', name)
  const bad = gpus.find((own) => faults.strikes('badGpus', own)) ?? (isBad ? name : undefined)
  return bad === undefined ? 'none' : chance.pick(`fault of ${bad}`, KINDS)
}

function gpuCountOf({ instanceType }: Ec2Instance): number {
  return typesByName(catalog).get(instanceType)?.gpuCount ?? 0
}

/** The host's own, whoever is on it. */
export function gpusOf(instance: Ec2Instance): GpuIdentity[] {
  const { instanceType, zone, host } = instance
  return Array.from({ length: gpuCountOf(instance) }, (_, index) => {
    const seed = hash('sha256', `${instanceType}/${zone}/${String(host)}/${String(index)}`)
    const uuid = `GPU-00000000-0000-0000-0000-${seed.slice(0, 12)}`
    return { index, uuid, bus: `0000:0${String(index)}:00` }
  })
}

/** False where an honest look at all of it would find something now. */
export const isGood = (fault: HardwareFault): boolean =>
  fault === 'none' || fault === 'now and then'

export function afterReboot(fault: HardwareFault): HardwareFault {
  return fault === 'until a reset' || fault === 'until a reboot' ? 'none' : fault
}

export function afterReset(fault: HardwareFault): HardwareFault {
  return fault === 'until a reset' ? 'none' : fault
}

export type Look = Luck & {
  readonly fault: HardwareFault
  readonly gpus: readonly GpuIdentity[]
  /** Names this very look. */
  readonly key: string
}

/** How a check ends that ends in no result: never, or with the agent that runs it. */
type NoResult = 'hangs' | 'crashes'

/** What a check says. A machine with GPUs has its faults there. */
export function look({ name, check }: AskedCheck, looked: Look): CheckResult | NoResult {
  const { fault, gpus, key, chance, faults } = looked
  if (check === GPU_RESET.check) return { name, verdict: 'PASS', measures: {}, text: '' }
  const isFlaky = faults.strikes('flakyChecks', key)
  const odd = isFlaky ? chance.pick(`odd ${key}`, ODD) : undefined
  if (odd === 'hangs' || odd === 'crashes') return odd
  const isSeen = gpus.length === 0 || isAboutGpus(check) || fault === 'a bad image'
  const isThere = fault === 'now and then' ? chance.of(`comes ${key}`) < COMES : !isGood(fault)
  const isBad = isSeen && isThere
  const honest = isBad ? 'FAIL' : 'PASS'
  const verdict = odd === 'lies' ? (isBad ? 'PASS' : 'FAIL') : (odd ?? honest)
  const result: CheckResult = { name, verdict, measures: {}, text: verdict.toLowerCase() }
  if (verdict !== 'FAIL') return result
  const [gpu] = fault === 'a bad image' ? [] : gpus
  return {
    ...result,
    ...(fault === 'until a reboot' ? { needs: 'reboot' } : {}),
    ...(gpu === undefined ? {} : { devices: [{ uuid: gpu.uuid, verdict, text: result.text }] }),
  }
}

const ODD = ['UNKNOWN', 'INFRA', 'UNKNOWN', 'INFRA', 'hangs', 'crashes', 'lies'] as const

/** How often a fault that comes and goes is there. */
const COMES = 0.4
