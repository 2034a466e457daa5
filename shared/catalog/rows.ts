/**
 * Reads the tables' lines back into records, once, when the catalogue is loaded.
 *
 * The lines are the project's own text, so a line that does not parse is a bug and stops the start.
 */
import { assert, must } from '../base/assert.ts'
import { architectureSchema, type Architecture } from '../model/machine.ts'
import { exceptions, families } from './families.ts'
import { gpuFamilies } from './gpu-families.ts'
import { podProfiles } from './pods.ts'

export type CatalogRow = {
  readonly name: string
  readonly family: string
  readonly architecture: Architecture
  readonly vcpu: number
  readonly memoryMib: number
  readonly pods: number
  readonly gpuCount: number
  readonly gpuModel: string | undefined
  readonly onDemandUsdPerHour: number
  /** Mean spot price as a share of on-demand; undefined where no history is known. */
  readonly spotRatio: number | undefined
  readonly interruptionBucket: number | undefined
}

const LONG_SIZE: Readonly<Record<string, string>> = { m: 'medium', l: 'large', x: 'xlarge' }
const VCPU_BY_SIZE: Readonly<Record<string, number>> = { medium: 1, large: 2, xlarge: 4 }
const VCPU_PER_XLARGE = 4

/** Every type of the catalogue, in the order of the tables. */
export function readRows(): readonly CatalogRow[] {
  const profiles = new Map(Object.entries(podProfiles).map(([name, line]) => [name, podsOf(line)]))
  return [
    ...families.flatMap((line) => plainRows(line, profiles)),
    ...Object.entries(gpuFamilies).flatMap(([head, lines]) => gpuRows(head, lines)),
  ]
}

function plainRows(
  line: string,
  profiles: ReadonlyMap<string, ReadonlyMap<string, number>>,
): readonly CatalogRow[] {
  const [family, arch, gibText, usdText, spot, profile, ...sizes] = line.split(/ +/)
  const pods = must(profiles.get(must(profile, 'a pod profile')), `pod profile ${String(profile)}`)
  const [usdPerVcpu, decimals] = must(usdText, 'a price').split('~')
  return sizes.map((entry) => {
    const [short, bucket] = entry.split(':')
    const size = longSize(must(short, 'a size'))
    const name = `${must(family, 'a family')}.${size}`
    const vcpu = vcpuOf(size)
    const own = exceptions[name]
    const usd = Number(usdPerVcpu) * vcpu
    return {
      name,
      family: must(family, 'a family'),
      architecture: architectureSchema.parse(arch),
      vcpu,
      memoryMib: numberOf((own?.gib ?? Number(gibText) * vcpu) * 1024),
      pods: must(pods.get(size), `pods of ${name}`),
      gpuCount: 0,
      gpuModel: undefined,
      onDemandUsdPerHour: numberOf(own?.usd ?? Number(usd.toFixed(Number(decimals ?? 7)))),
      spotRatio: knownOf(spot),
      interruptionBucket: knownOf(bucket),
    }
  })
}

function gpuRows(head: string, lines: readonly string[]): readonly CatalogRow[] {
  const [family, arch, gpuModel, spot] = head.split(' ')
  return lines.map((line) => {
    const [size, gib, gpus, pods, usd, bucket] = line.split(' ')
    return {
      name: `${must(family, 'a family')}.${must(size, 'a size')}`,
      family: must(family, 'a family'),
      architecture: architectureSchema.parse(arch),
      vcpu: vcpuOf(must(size, 'a size')),
      memoryMib: numberOf(gib) * 1024,
      pods: numberOf(pods),
      gpuCount: numberOf(gpus),
      gpuModel: must(gpuModel, 'a GPU model'),
      onDemandUsdPerHour: numberOf(usd),
      spotRatio: knownOf(spot),
      interruptionBucket: knownOf(bucket),
    }
  })
}

/** `x,2x:58 4x:234` as a map from each long size. */
function podsOf(line: string): ReadonlyMap<string, number> {
  const groups = line.split(' ').map((group) => group.split(':'))
  return new Map(
    groups.flatMap(([sizes, pods]) =>
      must(sizes, 'sizes')
        .split(',')
        .map((size) => [longSize(size), numberOf(pods)]),
    ),
  )
}

function longSize(short: string): string {
  return LONG_SIZE[short] ?? short.replace(/x$/, 'xlarge')
}

function vcpuOf(size: string): number {
  return VCPU_BY_SIZE[size] ?? numberOf(size.replace('xlarge', '')) * VCPU_PER_XLARGE
}

function knownOf(text: string | undefined): number | undefined {
  return text === undefined || text === '-' ? undefined : numberOf(text)
}

function numberOf(text: string | number | undefined): number {
  const value = Number(text)
  assert(Number.isFinite(value), 'a catalogue line holds a number here', text)
  return value
}
