/**
 * The prices adapter against the emulated EC2 and price list, and both against the memory version.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ec2OptionsOf, readMarketFile } from '#local/ec2/market-file.ts'
import { startEc2Server, type Ec2Server } from '#local/ec2/server.ts'
import { catalog } from '#shared/catalog/catalog.ts'
import { makeEc2Prices } from '#shared/cloud/aws/ec2-prices.ts'
import { makeMemoryEc2, type MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import { makeMemoryPrices } from '#shared/cloud/memory-prices.ts'

let server: Ec2Server
let world: MemoryEc2

beforeEach(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'local'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'local'
  const clock = (): number => Date.parse('2026-11-22T10:20:00Z')
  world = makeMemoryEc2({ clock, options: ec2OptionsOf(readMarketFile()) })
  server = await startEc2Server({ world, clock })
})

afterEach(() => server.close())

describe('the whole catalogue over the wire', () => {
  it('is what it was before it went', async () => {
    const { url } = server
    const prices = makeEc2Prices({ region: 'us-east-1', endpoint: url, pricingEndpoint: url })
    expect(await prices.instanceTypes()).toEqual(catalog)
    const memory = await makeMemoryPrices(world).zones()
    expect(await prices.zones()).toEqual(memory)
    expect(Object.keys(memory[0]?.prices ?? {})).toHaveLength(catalog.length)
  })
})
