/** A small world with a clock that tests move by hand. */
import { makeMemoryEc2, type MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import type { Ec2Hooks, Ec2Offering, Ec2Options } from '#shared/cloud/memory-ec2/types.ts'
import type { InstanceType } from '#shared/model/machine.ts'
import type { LaunchRequest } from '#shared/model/launch.ts'

export const START_MS = Date.parse('2026-11-22T10:00:00Z')

const TYPES = [
  { name: 'm7a.large', vcpu: 2, gpuCount: 0, price: 0.116 },
  { name: 'c7a.large', vcpu: 2, gpuCount: 0, price: 0.103 },
  { name: 'g5.xlarge', vcpu: 4, gpuCount: 1, price: 1.006 },
]
export const ZONES = ['us-east-1a', 'us-east-1b', 'us-east-1c']

export const TEST_TYPES: readonly InstanceType[] = TYPES.map(({ name, vcpu, gpuCount, price }) => ({
  name,
  family: name.split('.')[0] ?? '',
  architecture: 'amd64',
  vcpu,
  memoryMib: vcpu * 4096,
  gpuCount,
  ...(gpuCount > 0 ? { gpuModel: 'nvidia-a10g' } : {}),
  allocatable: {
    cpuMilli: vcpu * 950,
    memoryMib: vcpu * 3500,
    gpuMilli: gpuCount * 1000,
    diskMib: 0,
  },
  onDemandUsdPerHour: price,
}))

/** Spot at 40 % of on-demand, a little dearer from zone to zone. */
export function testOfferings(capacity = 10): readonly Ec2Offering[] {
  return TEST_TYPES.flatMap(({ name, onDemandUsdPerHour }) =>
    ZONES.flatMap((zone, at): Ec2Offering[] => [
      {
        instanceType: name,
        zone,
        capacityType: 'on-demand',
        capacity,
        priceUsdPerHour: onDemandUsdPerHour,
      },
      {
        instanceType: name,
        zone,
        capacityType: 'spot',
        capacity,
        priceUsdPerHour: Number((onDemandUsdPerHour * (0.4 + at * 0.02)).toFixed(4)),
      },
    ]),
  )
}

export type TestWorld = {
  world: MemoryEc2
  clock: () => number
  /** Moves the clock and settles. */
  pass(ms: number): void
}

export function testWorld(options: Partial<Ec2Options> = {}, hooks: Ec2Hooks = {}): TestWorld {
  let nowMs = START_MS
  const clock = (): number => nowMs
  const world = makeMemoryEc2({
    clock,
    hooks,
    options: {
      zones: ZONES,
      instanceTypes: TEST_TYPES,
      offerings: testOfferings(),
      bootMs: { min: 5_000, max: 10_000 },
      shutdownMs: { min: 1_000, max: 2_000 },
      listDelayMs: 0,
      ...options,
    },
  })
  return {
    world,
    clock,
    pass: (ms) => {
      nowMs += ms
      world.settle()
    },
  }
}

let tokens = 0

export function aRequest(change: Partial<LaunchRequest> = {}): LaunchRequest {
  tokens += 1
  return {
    token: `token-${String(tokens)}`,
    capacityType: 'spot',
    count: 1,
    overrides: overridesOf(['m7a.large'], ZONES),
    tags: { 'drover:launch': '1-1/1', 'drover:table': 'table-1', 'drover:pool': 'general' },
    ...change,
  }
}

export function overridesOf(
  types: readonly string[],
  zones: readonly string[] = ['us-east-1a'],
): LaunchRequest['overrides'] {
  return types.flatMap((instanceType) =>
    zones.map((zone) => ({
      instanceType,
      zone,
      launchTemplateId: 'lt-0a1b2c3d4e5f60718',
      launchTemplateVersion: '3',
    })),
  )
}
