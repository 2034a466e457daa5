/**
 * The price list's one call that drover makes, answered from the world's on-demand prices.
 */
import { z } from 'zod'
import { groupBy } from '#shared/base/order.ts'
import type { MemoryEc2 } from '#shared/cloud/memory-ec2.ts'

export const GET_PRODUCTS = 'AWSPriceListService.GetProducts'

const PAGE_MAX_ITEMS = 100

const requestSchema = z.object({
  ServiceCode: z.literal('AmazonEC2'),
  Filters: z.array(z.object({ Field: z.string(), Value: z.string() })).default([]),
  MaxResults: z.int().min(1).max(PAGE_MAX_ITEMS).default(PAGE_MAX_ITEMS),
  NextToken: z.string().regex(/^\d+$/).default('0'),
})

export type ProductsAnswer = { readonly httpStatus: number; readonly body: unknown }

/** On-demand prices hold for a whole region: of zones that differ the cheapest is told. */
export function getProducts(world: MemoryEc2, body: string): ProductsAnswer {
  const request = requestSchema.safeParse(parsed(body))
  if (!request.success) {
    const text = request.error.message
    return { httpStatus: 400, body: { __type: 'InvalidParameterException', Message: text } }
  }
  const { Filters, MaxResults, NextToken } = request.data
  const region = Filters.find(({ Field }) => Field === 'regionCode')?.Value
  const onDemand = world.offerings().filter(({ capacityType }) => capacityType === 'on-demand')
  const byType = region === world.options.region ? groupBy(onDemand, (own) => own.instanceType) : []
  const products = [...byType].map(([instanceType, places]) =>
    productText(instanceType, Math.min(...places.map((own) => own.priceUsdPerHour))),
  )
  const end = Number(NextToken) + MaxResults
  return {
    httpStatus: 200,
    body: {
      FormatVersion: 'aws_v1',
      PriceList: products.slice(Number(NextToken), end),
      ...(end < products.length ? { NextToken: String(end) } : {}),
    },
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** A product as the price list has it: JSON within JSON, prices as texts. */
function productText(instanceType: string, usdPerHour: number): string {
  const sku = instanceType.toUpperCase().replace(/[^A-Z0-9]/g, '')
  const dimension = { unit: 'Hrs', pricePerUnit: { USD: usdPerHour.toFixed(10) } }
  return JSON.stringify({
    product: { productFamily: 'Compute Instance', attributes: { instanceType }, sku },
    serviceCode: 'AmazonEC2',
    terms: { OnDemand: { [`${sku}.T`]: { priceDimensions: { [`${sku}.T.D`]: dimension } } } },
  })
}
