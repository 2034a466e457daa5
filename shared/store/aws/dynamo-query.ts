/**
 * One partition, page by page, with a cursor that may be any text.
 *
 * The cursor comes from a client's `after`, so it need not name an item, start with the prefix or
 * even be a legal key. DynamoDB refuses a start key outside the range it is asked for; here such a
 * cursor means what a person would expect: everything that sorts beyond it.
 */
import { QueryCommand, type QueryCommandInput } from '@aws-sdk/lib-dynamodb'
import { LIMITS } from '../../model/limits.ts'
import { requireKeyPart, requireLimit } from '../rules.ts'
import { StoreError, type Item, type Store } from '../store.ts'
import { storeError } from './dynamo-errors.ts'
import type { TableBinding } from './dynamo-client.ts'

type Range = NonNullable<Parameters<Store['query']>[1]>
type Page = { items: readonly Item[]; next?: string }

export async function queryPartition(table: TableBinding, pk: string, range: Range): Promise<Page> {
  requireKeyPart('pk', pk, LIMITS.partitionKeyMaxBytes)
  requireLimit(range.limit)
  const start = startOf(range)
  if (start === 'nothing') return { items: [] }
  const input = {
    ...baseOf(table.tableName, pk, range),
    ...(start !== 'beginning' && { ExclusiveStartKey: { pk, sk: start.after } }),
  }
  // One more than asked for tells whether there is more, without a page that turns out empty.
  const items = await readPages(table, input, range.limit && range.limit + 1)
  if (range.limit === undefined || items.length <= range.limit) return { items }
  const page = items.slice(0, range.limit)
  const last = page.at(-1)
  return last === undefined ? { items: page } : { items: page, next: last.sk }
}

function baseOf(tableName: string, pk: string, { prefix, descending }: Range): QueryCommandInput {
  const hasPrefix = prefix !== undefined && prefix !== ''
  return {
    TableName: tableName,
    ConsistentRead: true,
    ScanIndexForward: descending !== true,
    KeyConditionExpression: hasPrefix ? '#pk = :pk AND begins_with(#sk, :sk)' : '#pk = :pk',
    ExpressionAttributeNames: { '#pk': 'pk', ...(hasPrefix && { '#sk': 'sk' }) },
    ExpressionAttributeValues: { ':pk': pk, ...(hasPrefix && { ':sk': prefix }) },
  }
}

/** Where to begin: a cursor before the range means its beginning, one behind it means nothing. */
function startOf({
  after,
  prefix = '',
  descending = false,
}: Range): 'beginning' | 'nothing' | { after: string } {
  if (Buffer.byteLength(prefix) > LIMITS.sortKeyMaxBytes) return 'nothing'
  if (after === undefined) return 'beginning'
  if (after === '') return descending ? 'nothing' : 'beginning'
  if (!after.startsWith(prefix)) return after < prefix === descending ? 'nothing' : 'beginning'
  return { after: shortened(after) }
}

/** No stored key is longer than a key may be, so what is cut off decides nothing. */
function shortened(after: string): string {
  const bytes = Buffer.from(after)
  return bytes.length <= LIMITS.sortKeyMaxBytes
    ? after
    : bytes
        .subarray(0, LIMITS.sortKeyMaxBytes)
        .toString('utf8')
        .replace(/\uFFFD+$/, '')
}

async function readPages(
  table: TableBinding,
  input: QueryCommandInput,
  limit: number | undefined,
): Promise<readonly Item[]> {
  const items: Item[] = []
  let from = input.ExclusiveStartKey
  for (let page = 0; page < LIMITS.storePagesMax; page += 1) {
    const command = new QueryCommand({
      ...input,
      ...(from && { ExclusiveStartKey: from }),
      ...(limit !== undefined && { Limit: limit - items.length }),
    })
    const answer = await table.client.send(command).catch((error: unknown) => {
      throw storeError(error, 'Query')
    })
    items.push(...((answer.Items ?? []) as Item[]))
    from = answer.LastEvaluatedKey
    if (from === undefined || (limit !== undefined && items.length >= limit)) return items
  }
  throw new StoreError({
    text: `a query has more than ${String(LIMITS.storePagesMax)} pages`,
    seen: items.length,
    next: 'ask for it in parts, with a limit',
  })
}
