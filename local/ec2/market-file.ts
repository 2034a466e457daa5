/**
 * The market file of `--market FILE`: the emulated EC2's capacity, prices, boot times and failures.
 *
 * Everything has a default, and the default market is the shipped catalogue: every type in three
 * zones, spot and on-demand, at its own prices. A file says only what is to be different. It is
 * YAML or JSON; unknown fields are refused, for a misspelt failure rate is a test that tests
 * nothing.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { describeError, DroverError } from '#shared/base/errors.ts'
import { catalog, isGpu, typeByName } from '#shared/catalog/catalog.ts'
import { spotPriceUsdPerHour } from '#shared/catalog/spot.ts'
import { DEFAULT_ZONES, REGION } from '#shared/catalog/zones.ts'
import { EC2_DEFAULTS } from '#shared/cloud/memory-ec2/options.ts'
import type { Ec2Offering, Ec2Options } from '#shared/cloud/memory-ec2/types.ts'
import { capacityTypeSchema, type CapacityType, type InstanceType } from '#shared/model/machine.ts'

export class MarketFileError extends DroverError {
  constructor(path: string, text: string, cause?: unknown) {
    super({ code: 'BadMarketFile', text: `${path}: ${text}`, next: 'correct the file', cause })
  }
}

const rate = z.number().min(0).max(1)
const capacity = z.int().min(0).max(1_000_000)
const price = z.number().positive()
const milliseconds = z.int().min(0).max(86_400_000)

const offeringSchema = z.strictObject({
  instanceType: z.string().refine((name) => typeByName.has(name), {
    error: 'must be an instance type of the catalogue',
  }),
  /** Absent: every zone. */
  zone: z.string().optional(),
  /** Absent: both. */
  capacityType: capacityTypeSchema.optional(),
  capacity: capacity.optional(),
  priceUsdPerHour: price.optional(),
})

const bootSchema = z
  .strictObject({ minMs: milliseconds.default(600), maxMs: milliseconds.default(1_200) })
  .refine(({ minMs, maxMs }) => minMs <= maxMs, { error: 'must have minMs ≤ maxMs' })

const capacitySchema = z.strictObject({
  spot: capacity.default(40),
  onDemand: capacity.default(200),
  /** Machines with GPUs are scarce. */
  gpuSpot: capacity.default(4),
  gpuOnDemand: capacity.default(10),
})

export const marketSchema = z
  .strictObject({
    seed: z.int().min(0).max(4_294_967_295).default(1),
    zones: z
      .array(z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/))
      .min(1)
      .default([...DEFAULT_ZONES]),
    /** Of each place that `offerings` says nothing about. */
    capacity: capacitySchema.prefault({}),
    /** Later lines win over earlier ones. */
    offerings: z.array(offeringSchema).max(10_000).default([]),
    boot: bootSchema.prefault({}),
    listDelayMs: milliseconds.default(200),
    shutdownMs: milliseconds.default(500),
    noticeSeconds: z.int().min(0).max(3_600).default(120),
    quotaVcpu: z
      .strictObject({ spot: capacity.optional(), onDemand: capacity.optional() })
      .prefault({}),
    failures: z
      .strictObject({
        throttle: rate.default(0),
        loseResponses: rate.default(0),
        neverBoots: rate.default(0),
        spotInterruptionsPerHour: z.number().min(0).max(3_600).default(0),
      })
      .prefault({}),
  })
  .superRefine(({ zones, offerings }, context) => {
    for (const [at, { zone }] of offerings.entries()) {
      if (zone === undefined || zones.includes(zone)) continue
      const path = ['offerings', at, 'zone']
      const message = `must be one of the zones (${zones.join(', ')})`
      context.addIssue({ code: 'custom', path, message, input: zone })
    }
  })
export type MarketFile = z.infer<typeof marketSchema>

/** The market of a file, or the default one; throws MarketFileError that names every fault. */
export function readMarketFile(path?: string): MarketFile {
  if (path === undefined) return marketSchema.parse({})
  const result = marketSchema.safeParse(parseFile(path))
  if (result.success) return result.data
  const faults = result.error.issues.map((issue) => {
    const where = issue.path.map(String).join('.')
    return where === '' ? issue.message : `${where}: ${issue.message}`
  })
  throw new MarketFileError(path, faults.join('; '))
}

function parseFile(path: string): unknown {
  try {
    return parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new MarketFileError(path, describeError(cause), cause)
  }
}

/** The emulated EC2 the market describes; `speed` divides its waits, the spot notice apart. */
export function ec2OptionsOf(
  market: MarketFile,
  { speed = 1 }: { speed?: number } = {},
): Ec2Options {
  const { boot, failures, quotaVcpu, seed, shutdownMs } = market
  const faster = (ms: number): number => Math.round(ms / speed)
  return {
    ...EC2_DEFAULTS,
    seed,
    region: REGION,
    zones: market.zones,
    instanceTypes: catalog,
    offerings: offeringsOf(market),
    bootMs: { min: faster(boot.minMs), max: faster(boot.maxMs) },
    shutdownMs: { min: faster(shutdownMs), max: faster(shutdownMs) },
    listDelayMs: faster(market.listDelayMs),
    noticeMs: market.noticeSeconds * 1_000,
    priceWalk: { ...EC2_DEFAULTS.priceWalk, spotPriceAt: spotPriceOf(seed) },
    quotaVcpu: {
      ...(quotaVcpu.spot === undefined ? {} : { spot: quotaVcpu.spot }),
      ...(quotaVcpu.onDemand === undefined ? {} : { onDemand: quotaVcpu.onDemand }),
    },
    faults: {
      throttleRate: failures.throttle,
      loseResponsesRate: failures.loseResponses,
      neverBootsRate: failures.neverBoots,
      spotInterruptionsPerHour: failures.spotInterruptionsPerHour,
      secondHand: true,
    },
  }
}

function spotPriceOf(seed: number): (offering: Ec2Offering, atMs: number) => number {
  return ({ instanceType, zone }, atMs) =>
    spotPriceUsdPerHour({ type: instanceType, zone, atMs, seed })
}

function offeringsOf(market: MarketFile): readonly Ec2Offering[] {
  const changes = new Map<string, Partial<Pick<Ec2Offering, 'capacity' | 'priceUsdPerHour'>>>()
  const bothTypes = capacityTypeSchema.options
  for (const own of market.offerings) {
    for (const zone of own.zone === undefined ? market.zones : [own.zone]) {
      for (const capacityType of own.capacityType === undefined ? bothTypes : [own.capacityType]) {
        const key = `${own.instanceType}/${zone}/${capacityType}`
        changes.set(key, { ...changes.get(key), ...saidOf(own) })
      }
    }
  }
  return catalog.flatMap((type) =>
    market.zones.flatMap((zone) =>
      bothTypes.map((capacityType): Ec2Offering => {
        const change = changes.get(`${type.name}/${zone}/${capacityType}`)
        const offering = {
          instanceType: type.name,
          zone,
          capacityType,
          capacity: capacityOf(market, type, capacityType),
          priceUsdPerHour: type.onDemandUsdPerHour,
        }
        if (change === undefined) return offering
        return { ...offering, ...change, pinned: change.priceUsdPerHour !== undefined }
      }),
    ),
  )
}

function saidOf({
  capacity: own,
  priceUsdPerHour,
}: z.infer<typeof offeringSchema>): Partial<Pick<Ec2Offering, 'capacity' | 'priceUsdPerHour'>> {
  return {
    ...(own === undefined ? {} : { capacity: own }),
    ...(priceUsdPerHour === undefined ? {} : { priceUsdPerHour }),
  }
}

function capacityOf(market: MarketFile, type: InstanceType, capacityType: CapacityType): number {
  const { spot, onDemand, gpuSpot, gpuOnDemand } = market.capacity
  if (isGpu(type)) return capacityType === 'spot' ? gpuSpot : gpuOnDemand
  return capacityType === 'spot' ? spot : onDemand
}
