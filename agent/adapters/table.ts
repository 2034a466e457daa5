/**
 * The table as a node sees it: its own assignment to read, its own report and beat to write.
 *
 * Each call is sent once, with a hard end: the loop above knows best when to try again. The beat is
 * stamped with DynamoDB's own time, taken from the `Date` header of its answers and carried on by
 * the monotonic clock, because it is the one sender's time that is ever compared.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { must } from '#shared/base/assert.ts'
import {
  assignmentHeadSchema,
  assignmentSchema,
  type Assignment,
  type AssignmentHead,
} from '#shared/model/assignment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Beat } from '#shared/model/report.ts'
import { agentKeys } from '#shared/protocol/agent-keys.ts'
import { TableError } from '../errors.ts'
import type { AgentTable } from '../ports.ts'

export type TableOptions = {
  readonly table: string
  readonly region: string
  /** The SDK's own AWS_ENDPOINT_URL_DYNAMODB holds where this is absent. */
  readonly endpoint?: string
  readonly timeoutMs?: number
}

export type ClosableTable = AgentTable & {
  /** `host:port` */
  readonly endpoint: string
  /** This machine's clock less DynamoDB's, to within half a second: asks anew. */
  clockOffsetMs(arn: string): Promise<number>
  /** The same by the answers since it was last taken, and no request; undefined without any. */
  takeClockOffsetMs(): number | undefined
  close(): void
}

const DAY_SECONDS = 86_400

/** Opens the node's view of the table. Nothing is sent before the first call. */
export function openTable(options: TableOptions): ClosableTable {
  const clock = serverClock()
  const client = makeClient(options, clock)
  const timeoutMs = options.timeoutMs ?? LIMITS.agentTableTimeoutMs
  const { table } = options

  const get = async (key: Record<string, string>, consistent: boolean): Promise<unknown> => {
    const command = new GetCommand({ TableName: table, Key: key, ConsistentRead: consistent })
    const answer = await told(`GetItem ${String(key.pk)}`, () =>
      client.send(command, { abortSignal: AbortSignal.timeout(timeoutMs) }),
    )
    return answer.Item
  }
  const put = async (item: Record<string, unknown>): Promise<void> => {
    const command = new PutCommand({ TableName: table, Item: item })
    await told(`PutItem ${String(item.pk)}`, () =>
      client.send(command, { abortSignal: AbortSignal.timeout(timeoutMs) }),
    )
  }
  const readHead = async (arn: string): Promise<AssignmentHead | undefined> => {
    const item = await get(agentKeys.assignmentHead(arn), false)
    return item === undefined ? undefined : assignmentHeadSchema.parse(item)
  }
  /** The server's time; asks for something cheap first where no answer has told it yet. */
  const serverNow = async (arn: string): Promise<number> => {
    if (clock.now() === undefined) await readHead(arn)
    return must(clock.now(), 'the Date header of an answer')
  }
  return {
    readHead,
    readAssignment: async (arn): Promise<Assignment | undefined> => {
      const item = await get(agentKeys.assignment(arn), true)
      return item === undefined ? undefined : assignmentSchema.parse(item)
    },
    writeReport: async (report) => {
      const ttl = seconds(await serverNow(report.arn)) + LIMITS.reportDays * DAY_SECONDS
      await put({ ...agentKeys.report(report.arn), ...report, ttl })
    },
    writeBeat: async ({ arn, bootId, usage }) => {
      const atMs = await serverNow(arn)
      const measured = usage === undefined ? {} : { usage: { ...usage } }
      const beat: Beat = { kind: 'beat', arn, bootId, atMs, ...measured }
      const ttl = seconds(atMs) + LIMITS.beatDays * DAY_SECONDS
      await put({ ...agentKeys.beat(arn), ...beat, ttl })
    },
    endpoint: endpointOf(options),
    clockOffsetMs: async (arn) => {
      await readHead(arn)
      return must(clock.offsetMs(), 'the Date header of an answer')
    },
    takeClockOffsetMs: () => clock.takeOffsetMs(),
    close: () => {
      client.destroy()
    },
  }
}

type ServerClock = {
  now(): number | undefined
  /** What this machine's clock said when the last answer came, less what the server's said. */
  offsetMs(): number | undefined
  /** The smallest since it was last taken: of the answer that was on its way the least. */
  takeOffsetMs(): number | undefined
  heard(date: string): void
}

/** The header counts whole seconds, so the server's time is half a second later on average. */
const HALF_A_SECOND_MS = 500

function serverClock(): ServerClock {
  let at: { serverMs: number; hereMs: number; wallMs: number } | undefined
  let leastMs: number | undefined
  return {
    now: () =>
      at === undefined ? undefined : Math.round(at.serverMs + performance.now() - at.hereMs),
    offsetMs: () => (at === undefined ? undefined : at.wallMs - at.serverMs - HALF_A_SECOND_MS),
    takeOffsetMs: () => {
      const taken = leastMs
      leastMs = undefined
      return taken
    },
    heard: (date) => {
      const serverMs = Date.parse(date)
      if (!Number.isFinite(serverMs)) return
      at = { serverMs, hereMs: performance.now(), wallMs: Date.now() }
      const offsetMs = at.wallMs - serverMs - HALF_A_SECOND_MS
      if (Math.abs(offsetMs) < Math.abs(leastMs ?? Infinity)) leastMs = offsetMs
    },
  }
}

/** Where the SDK sends; in China the names end otherwise. */
function endpointOf({ endpoint, region }: TableOptions): string {
  const said = endpoint ?? process.env['AWS_ENDPOINT_URL_DYNAMODB']
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const { protocol, hostname, port } = new URL(said ?? `https://dynamodb.${region}.${suffix}`)
  const standard = protocol === 'http:' ? '80' : '443'
  return `${hostname}:${port === '' ? standard : port}`
}

function makeClient(options: TableOptions, clock: ServerClock): DynamoDBDocumentClient {
  const client = new DynamoDBClient({
    region: options.region,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    maxAttempts: 1,
  })
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const date = dateHeader(result.response)
      if (date !== undefined) clock.heard(date)
      return result
    },
    { step: 'deserialize', name: 'droverServerClock' },
  )
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } })
}

function dateHeader(response: unknown): string | undefined {
  if (typeof response !== 'object' || response === null || !('headers' in response))
    return undefined
  const { headers } = response
  if (typeof headers !== 'object' || headers === null || !('date' in headers)) return undefined
  return typeof headers.date === 'string' ? headers.date : undefined
}

async function told<T>(what: string, send: () => Promise<T>): Promise<T> {
  try {
    return await send()
  } catch (cause) {
    throw new TableError({
      text: `${what} failed`,
      cause,
      next: 'the agent tries again; see DROVER_TABLE, the endpoint and the node role',
    })
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
