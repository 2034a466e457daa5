/**
 * A queue's backlog: what waits, what is being worked on, and what is delayed.
 *
 * Messages in flight count, or the last consumers would be stopped in the middle of theirs.
 * The numbers are approximate, as SQS calls them, by a few seconds.
 */
import { GetQueueAttributesCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs'
import { asAmount, unread } from '../../metric-source.ts'
import type { MetricSourcesOptions, Reader } from './reader.ts'
import { isLoopback } from './loopback.ts'

const NAMES = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const

const AWS_HOST =
  /^(?:sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?|([a-z0-9-]+)\.queue\.amazonaws\.com)$/

export function makeSqsMetrics({
  region: ownRegion,
  loopback,
}: MetricSourcesOptions): Reader<'sqs'> {
  const clients = new Map<string, SQSClient>()
  const clientFor = (config: SQSClientConfig): SQSClient => {
    const key = `${String(config.region)} ${String(config.endpoint)}`
    const client = clients.get(key) ?? new SQSClient({ ...config, maxAttempts: 2 })
    clients.set(key, client)
    return client
  }
  return async ({ queueUrl }, abortSignal) => {
    const { hostname, origin, protocol } = new URL(queueUrl)
    const here = isLoopback(hostname) ? loopback : undefined
    const match = protocol === 'https:' ? AWS_HOST.exec(hostname) : null
    // Requests are signed: they go to AWS and nowhere else.
    if (here === undefined && match === null) {
      return unread('NotAnSqsQueue', `${hostname} is no address of SQS`)
    }
    const region = match?.[1] ?? match?.[2] ?? ownRegion
    const client = clientFor({
      region,
      ...(here === undefined ? {} : { endpoint: origin, credentials: here }),
    })
    const { Attributes: found } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [...NAMES] }),
      { abortSignal },
    )
    const counts = NAMES.map((name) => Number(found?.[name] ?? Number.NaN))
    const sum = counts.reduce((all, own) => all + own, 0)
    return asAmount(sum, 'its number of messages')
  }
}
