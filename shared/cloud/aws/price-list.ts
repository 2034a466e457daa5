/**
 * On-demand prices from the AWS price list, a service of its own that lives in us-east-1.
 *
 * A product is a JSON text within the JSON answer; its price is three maps deep under keys that
 * mean nothing. It is parsed with a schema and a product that does not fit is an error: a herd
 * bought at the wrong price costs more than a market that is an hour old.
 */
import { GetProductsCommand, type Filter, type PricingClient } from '@aws-sdk/client-pricing'
import { z } from 'zod'
import { describeError } from '../../base/errors.ts'
import { LIMITS } from '../../model/limits.ts'
import { PricesError } from '../prices-error.ts'
import { within } from './ec2-client.ts'

/** The price list has endpoints in few regions, and one answers for all. */
export const PRICE_LIST_REGION = 'us-east-1'

const productSchema = z.object({
  product: z.object({ attributes: z.object({ instanceType: z.string() }) }),
  terms: z.object({
    OnDemand: z.record(
      z.string(),
      z.object({
        priceDimensions: z.record(
          z.string(),
          z.object({ unit: z.string(), pricePerUnit: z.object({ USD: z.string() }) }),
        ),
      }),
    ),
  }),
})

/** Plain Linux on shared hardware, nothing pre-installed, no reservation. */
function filtersOf(region: string): Filter[] {
  const wanted = {
    regionCode: region,
    operatingSystem: 'Linux',
    tenancy: 'Shared',
    preInstalledSw: 'NA',
    capacitystatus: 'Used',
    marketoption: 'OnDemand',
  }
  return Object.entries(wanted).map(([Field, Value]) => ({ Type: 'TERM_MATCH', Field, Value }))
}

/** USD an hour by instance type. */
export async function onDemandPrices(
  client: PricingClient,
  region: string,
): Promise<ReadonlyMap<string, number>> {
  const prices = new Map<string, number>()
  let token: string | undefined
  for (let page = 0; page < LIMITS.describePagesMax; page++) {
    const command = new GetProductsCommand({
      ServiceCode: 'AmazonEC2',
      Filters: filtersOf(region),
      MaxResults: LIMITS.typesPageItems,
      ...(token === undefined ? {} : { NextToken: token }),
    })
    const output = await client.send(command, within(LIMITS.pricesCallTimeoutMs)).catch(rethrow)
    for (const text of output.PriceList ?? []) addPrice(prices, String(text))
    token = output.NextToken
    if (token === undefined || token === '') return prices
  }
  throw new PricesError({ text: 'the price list does not end' })
}

function rethrow(cause: unknown): never {
  throw new PricesError({ text: `the price list: ${describeError(cause)}`, cause })
}

function addPrice(prices: Map<string, number>, text: string): void {
  const product = parseProduct(text)
  const dimensions = Object.values(product.terms.OnDemand)
    .flatMap((term) => Object.values(term.priceDimensions))
    .filter(({ unit }) => unit === 'Hrs')
  const [price] = dimensions.map(({ pricePerUnit }) => Number(pricePerUnit.USD))
  // A product that is not sold has a price of nothing.
  if (price !== undefined && price > 0) prices.set(product.product.attributes.instanceType, price)
}

function parseProduct(text: string): z.infer<typeof productSchema> {
  try {
    return productSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new PricesError({
      text: 'a product of the price list cannot be read',
      seen: text.slice(0, 200),
      cause,
    })
  }
}
