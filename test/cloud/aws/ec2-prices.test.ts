/** The adapter's error paths; test/local/ec2/wire-prices.test.ts shows it at work. */
import {
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  DescribeSpotPriceHistoryCommand,
  EC2Client,
  type InstanceTypeInfo,
} from '@aws-sdk/client-ec2'
import { GetProductsCommand, PricingClient } from '@aws-sdk/client-pricing'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, describe, expect, it } from 'vitest'
import { makeEc2Prices } from '#shared/cloud/aws/ec2-prices.ts'
import { LIMITS } from '#shared/model/limits.ts'

const ec2 = mockClient(EC2Client)
const pricing = mockClient(PricingClient)

function product(instanceType: string, usd: string): string {
  const priceDimensions = { d: { unit: 'Hrs', pricePerUnit: { USD: usd } } }
  return JSON.stringify({
    product: { attributes: { instanceType } },
    terms: { OnDemand: { t: { priceDimensions } } },
  })
}

function info(name: string, change: Partial<InstanceTypeInfo> = {}): InstanceTypeInfo {
  return {
    InstanceType: name as never,
    VCpuInfo: { DefaultVCpus: 4 },
    MemoryInfo: { SizeInMiB: 16_384 },
    ProcessorInfo: { SupportedArchitectures: ['x86_64'] },
    NetworkInfo: { MaximumNetworkInterfaces: 4, Ipv4AddressesPerInterface: 15 },
    ...change,
  }
}

beforeEach(() => {
  ec2.reset()
  pricing.reset()
  pricing.on(GetProductsCommand).resolves({
    PriceList: [
      product('z9z.xlarge', '0.2000000000'),
      product('g9z.xlarge', '1.5'),
      product('old', '0'),
    ],
  })
})

const open = (clock?: () => number): ReturnType<typeof makeEc2Prices> =>
  makeEc2Prices({ region: 'us-east-1', attempts: 1, ...(clock === undefined ? {} : { clock }) })

describe('prices on AWS', () => {
  it('tells shapes, with what is left computed for types the catalogue does not know', async () => {
    const gpus = [{ Name: 'T4', Manufacturer: 'NVIDIA', Count: 2 }]
    ec2.on(DescribeInstanceTypesCommand).resolves({
      InstanceTypes: [info('z9z.xlarge'), info('g9z.xlarge', { GpuInfo: { Gpus: gpus } })],
    })
    const [gpu, plain] = await open().instanceTypes()
    expect(gpu).toMatchObject({ name: 'g9z.xlarge', gpuCount: 2, gpuModel: 'nvidia-t4' })
    expect(plain).toMatchObject({
      name: 'z9z.xlarge',
      family: 'z9z',
      architecture: 'amd64',
      vcpu: 4,
      memoryMib: 16_384,
      onDemandUsdPerHour: 0.2,
      allocatable: { cpuMilli: 3_920, gpuMilli: 0 },
    })
    // 58 pods: 255 + 11 × 58 + 100 MiB of 92.5 % of 16 GiB.
    expect(plain?.allocatable.memoryMib).toBe(14_162)
  })

  it('leaves out what cannot be packed or priced', async () => {
    const part = [{ Name: 'L4', Manufacturer: 'NVIDIA', Count: 1, GpuPartitionSize: 0.125 }]
    ec2.on(DescribeInstanceTypesCommand).resolves({
      InstanceTypes: [
        info('no.price'),
        info('z9z.xlarge', { ProcessorInfo: { SupportedArchitectures: ['i386'] } }),
        info('g9z.xlarge', { GpuInfo: { Gpus: part } }),
      ],
    })
    expect(await open().instanceTypes()).toEqual([])
  })

  it('takes the latest quote of each place that sells', async () => {
    const zone = 'us-east-1a'
    ec2.on(DescribeInstanceTypeOfferingsCommand).resolves({
      InstanceTypeOfferings: [
        { InstanceType: 'z9z.xlarge' as never, Location: zone },
        { InstanceType: 'q1.nothing' as never, Location: zone },
      ],
    })
    const quote = (atMs: number, SpotPrice: string, name = 'z9z.xlarge') => ({
      InstanceType: name as never,
      AvailabilityZone: zone,
      SpotPrice,
      Timestamp: new Date(atMs),
    })
    ec2
      .on(DescribeSpotPriceHistoryCommand)
      .resolvesOnce({ SpotPriceHistory: [quote(1, '0.05'), quote(3, '0.07')], NextToken: 'n' })
      .resolvesOnce({
        SpotPriceHistory: [quote(2, '0.06'), quote(9, '0.01', 'gone')],
        NextToken: '',
      })
    expect(await open().zones()).toEqual([
      { zone, prices: { 'z9z.xlarge': { onDemand: 0.2, spot: 0.07 } } },
    ])
  })

  it('keeps the price list for a while, and asks again after a failure', async () => {
    ec2.on(DescribeInstanceTypesCommand).resolves({ InstanceTypes: [] })
    let nowMs = 0
    const prices = open(() => nowMs)
    pricing.on(GetProductsCommand).rejectsOnce(new Error('down')).resolves({ PriceList: [] })
    await expect(prices.instanceTypes()).rejects.toThrow('PricesFailed')
    await prices.instanceTypes()
    await prices.instanceTypes()
    expect(pricing.calls()).toHaveLength(2)
    nowMs += LIMITS.priceListKeepMs
    await prices.instanceTypes()
    expect(pricing.calls()).toHaveLength(3)
  })

  it('throws rather than tell a market with holes', async () => {
    ec2.on(DescribeInstanceTypeOfferingsCommand).rejects(new Error('down'))
    await expect(open().zones()).rejects.toThrow('the offerings')
    ec2.on(DescribeInstanceTypesCommand).resolves({ InstanceTypes: [], NextToken: 'again' })
    await expect(open().instanceTypes()).rejects.toThrow('do not end')
    pricing.on(GetProductsCommand).resolves({ PriceList: ['{"product":{}}'] })
    await expect(open().zones()).rejects.toThrow('cannot be read')
    pricing.on(GetProductsCommand).resolves({ PriceList: [], NextToken: 'again' })
    await expect(open().zones()).rejects.toThrow('does not end')
  })
})
