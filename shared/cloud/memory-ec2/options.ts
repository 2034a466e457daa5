/**
 * What the emulated EC2 is like unless it is told otherwise: a calm day in us-east-1.
 *
 * Bucket sizes are EC2's published ones (API throttling, per account, region and action). Waits are
 * those of a small cloud image; simulations and laptops shorten them.
 */
import type { Ec2Options } from './types.ts'

const HOUR_MS = 3_600_000

export const EC2_DEFAULTS: Ec2Options = Object.freeze({
  seed: 1,
  region: 'us-east-1',
  account: '123456789012',
  zones: ['us-east-1a', 'us-east-1b', 'us-east-1c'],
  instanceTypes: [],
  offerings: [],
  bootMs: { min: 20_000, max: 45_000 },
  shutdownMs: { min: 2_000, max: 10_000 },
  listDelayMs: 1_000,
  noticeMs: 120_000,
  forgetAfterMs: HOUR_MS,
  tokenMemoryMs: 24 * HOUR_MS,
  priceWalk: { spread: 0, stepMs: HOUR_MS },
  quotaVcpu: {},
  buckets: {
    mutating: { size: 50, refillPerSecond: 5 },
    terminate: { size: 100, refillPerSecond: 5 },
    terminatedInstances: { size: 1_000, refillPerSecond: 20 },
    describe: { size: 100, refillPerSecond: 20 },
    describeEverything: { size: 50, refillPerSecond: 10 },
  },
  faults: {
    throttleRate: 0,
    loseResponsesRate: 0,
    neverBootsRate: 0,
    spotInterruptionsPerHour: 0,
    secondHand: true,
  },
  imageId: 'ami-0d20e6d20e6d20e60',
})
