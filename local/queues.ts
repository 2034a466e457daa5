/**
 * SQS on a laptop: fauxqs in this process, with the two queues of wakes as the stack makes them.
 *
 * They live in memory. A wake that dies with drover is no loss: the first thing after a start is a
 * tick.
 */
import { startFauxqs } from 'fauxqs'
import { LIMITS } from '#shared/model/limits.ts'
import { QUEUES } from './laptop.ts'

export type LocalQueue = { readonly url: string; readonly arn: string }

export type LocalQueues = {
  readonly endpoint: string
  readonly wakes: LocalQueue
  readonly delayed: LocalQueue
  /** How many messages were set aside. */
  deadLetters(): number
  /** Puts the tick on the FIFO queue, as the EventBridge rule does. */
  sendTick(body: string, groupId: string): void
  stop(): Promise<void>
}

const DELAYED_VISIBILITY_SECONDS = 60

export async function startLocalQueues(): Promise<LocalQueues> {
  const server = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false })
  const make = (name: string, attributes: Record<string, string>): LocalQueue => {
    const { queueArn, queueName } = server.createQueue(name, { attributes })
    return { arn: queueArn, url: `${server.address}/000000000000/${queueName}` }
  }
  const redrive = (dead: LocalQueue): Record<string, string> => ({
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: dead.arn,
      maxReceiveCount: LIMITS.wakeMaxReceives,
    }),
  })
  const wakes = make(QUEUES.wakes, {
    FifoQueue: 'true',
    ContentBasedDeduplication: 'true',
    DelaySeconds: String(LIMITS.wakeDelayMs / 1000),
    VisibilityTimeout: String(LIMITS.reconcileVisibilityMs / 1000),
    ...redrive(make(QUEUES.wakesDead, { FifoQueue: 'true' })),
  })
  const delayed = make(QUEUES.delayed, {
    VisibilityTimeout: String(DELAYED_VISIBILITY_SECONDS),
    ...redrive(make(QUEUES.delayedDead, {})),
  })
  const held = (name: string): number => {
    const messages = server.inspectQueue(name)?.messages
    return (messages?.ready.length ?? 0) + (messages?.delayed.length ?? 0)
  }
  return {
    endpoint: server.address,
    wakes,
    delayed,
    deadLetters: () => held(QUEUES.wakesDead) + held(QUEUES.delayedDead),
    sendTick: (body, messageGroupId) => {
      server.sendMessage(QUEUES.wakes, body, { messageGroupId })
    },
    stop: () => server.stop(),
  }
}
