import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ec2OptionsOf, readMarketFile } from '#local/ec2/market-file.ts'
import { catalog } from '#shared/catalog/catalog.ts'
import type { Ec2Offering } from '#shared/cloud/memory-ec2/types.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'drover-market-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

function written(text: string): string {
  const path = join(directory, 'market.yaml')
  writeFileSync(path, text)
  return path
}

const find = (
  offerings: readonly Ec2Offering[],
  place: readonly [string, string, string],
): Ec2Offering | undefined =>
  offerings.find((own) =>
    [own.instanceType, own.zone, own.capacityType].every((value, at) => value === place[at]),
  )

describe('the market file', () => {
  it('is the whole catalogue when there is none', () => {
    const options = ec2OptionsOf(readMarketFile())
    expect(options.offerings).toHaveLength(catalog.length * 3 * 2)
    expect(find(options.offerings, ['m7a.large', 'us-east-1b', 'on-demand'])).toMatchObject({
      capacity: 200,
      priceUsdPerHour: 0.11592,
    })
    const spot = find(options.offerings, ['g5.xlarge', 'us-east-1b', 'spot'])!
    expect(spot.capacity).toBe(4)
    const price = options.priceWalk.spotPriceAt?.(spot, 0) ?? 0
    expect(price).toBeGreaterThan(0.1)
    expect(price).toBeLessThan(1.006)
    expect(options.bootMs.max).toBeLessThan(2_000)
  })

  it('changes what it says, and only that', () => {
    const path = written(`
seed: 7
zones: [us-east-1a, us-east-1b]
boot: {minMs: 1000, maxMs: 4000}
noticeSeconds: 10
failures: {throttle: 0.1, spotInterruptionsPerHour: 2}
quotaVcpu: {spot: 64}
offerings:
  - {instanceType: m7a.large, capacity: 3}
  - {instanceType: m7a.large, zone: us-east-1b, capacityType: spot, priceUsdPerHour: 0.01}
`)
    const options = ec2OptionsOf(readMarketFile(path), { speed: 10 })
    expect(options).toMatchObject({
      seed: 7,
      zones: ['us-east-1a', 'us-east-1b'],
      bootMs: { min: 100, max: 400 },
      noticeMs: 10_000,
      quotaVcpu: { spot: 64 },
      faults: { throttleRate: 0.1, loseResponsesRate: 0, spotInterruptionsPerHour: 2 },
    })
    expect(find(options.offerings, ['m7a.large', 'us-east-1a', 'on-demand'])).toMatchObject({
      capacity: 3,
      pinned: false,
    })
    expect(find(options.offerings, ['m7a.large', 'us-east-1b', 'spot'])).toMatchObject({
      capacity: 3,
      priceUsdPerHour: 0.01,
      pinned: true,
    })
  })

  it('names every fault at once', () => {
    const path = written(`
sed: 7
failures: {throttle: 2}
boot: {minMs: 5, maxMs: 1}
offerings: [{instanceType: m7a.lrage}]
`)
    const read = (): unknown => readMarketFile(path)
    for (const part of [
      '"sed"',
      'failures.throttle',
      'minMs ≤ maxMs',
      'offerings.0.instanceType',
    ]) {
      expect(read).toThrow(part)
    }
  })

  it('refuses a zone it does not have, and a file that is not there', () => {
    const path = written('offerings: [{instanceType: m7a.large, zone: eu-west-1a}]')
    expect(() => readMarketFile(path)).toThrow('must be one of the zones')
    expect(() => readMarketFile(join(directory, 'none'))).toThrow('BadMarketFile')
  })
})
