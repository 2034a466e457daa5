/**
 * The table's wire where no engine has a binary: three calls of DynamoDB, answered from memory.
 *
 * The agent is the same program everywhere and speaks to its table over DynamoDB's protocol. Where
 * dynoxide cannot run, this server stands in for the little that an agent asks: GetItem, PutItem
 * and UpdateItem. Everything else in local mode then uses the memory store directly, and nothing
 * outlives the process.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import { describeError } from '#shared/base/errors.ts'
import { silentLogger, type Logger } from '#shared/base/log.ts'
import {
  fieldsFromWire,
  fieldsToWire,
  type WireFields,
  type WireValue,
} from '#shared/store/aws/attribute-values.ts'
import {
  StoreError,
  type Item,
  type Key,
  type Store,
  type WriteResult,
} from '#shared/store/store.ts'
import {
  readCondition,
  readUpdate,
  UnknownExpression,
  type Placeholders,
} from './wire-expressions.ts'

/** An item of 400 KB, its escapes and its placeholders. */
const BODY_MAX_BYTES = 2_000_000
const TARGET = 'DynamoDB_20120810.'
const CONTENT_TYPE = 'application/x-amz-json-1.0'

export type FallbackOptions = {
  readonly store: Store
  readonly tableName: string
  readonly port?: number
  readonly log?: Logger
}
export type Fallback = { readonly endpoint: string; readonly port: number; stop(): Promise<void> }

/** An error as DynamoDB's clients know it. */
class WireError extends Error {
  readonly type: string
  readonly status: number

  constructor(type: string, message: string, status = 400) {
    super(message)
    this.type = type
    this.status = status
  }
}

/** Serves the store on 127.0.0.1, on a free port where none is given. */
export async function startFallback(options: FallbackOptions): Promise<Fallback> {
  const server = createServer((request, response) => {
    void answer(options, request, response)
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port)
    })
  })
  const stop = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve()
      })
    })
    server.closeAllConnections()
    await closed
  }
  return { endpoint: `http://127.0.0.1:${String(port)}`, port, stop }
}

async function answer(
  options: FallbackOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const operation = operationOf(request)
    send(response, 200, await operation(options, parseJson(await readBody(request))))
  } catch (error) {
    const { type, status, message } = wireErrorOf(error, options.log ?? silentLogger)
    send(response, status, { __type: `com.amazonaws.dynamodb.v20120810#${type}`, message })
  }
}

/** Node adds the Date header, by which agents stamp what they write. */
function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': CONTENT_TYPE })
  response.end(JSON.stringify(body))
}

const wireValue: z.ZodType<WireValue> = z.lazy(() =>
  z.union([
    z.strictObject({ S: z.string() }),
    z.strictObject({
      N: z.string().refine((text) => text !== '' && Number.isFinite(Number(text))),
    }),
    z.strictObject({ BOOL: z.boolean() }),
    z.strictObject({ NULL: z.literal(true) }),
    z.strictObject({ L: z.array(wireValue) }),
    z.strictObject({ M: z.record(z.string(), wireValue) }),
  ]),
)
const wireFields: z.ZodType<WireFields> = z.record(z.string(), wireValue)
const table = { TableName: z.string() }
const expressions = {
  ConditionExpression: z.string().optional(),
  ExpressionAttributeNames: z.record(z.string(), z.string()).optional(),
  ExpressionAttributeValues: wireFields.optional(),
}
const getInput = z.strictObject({
  ...table,
  Key: wireFields,
  ConsistentRead: z.boolean().optional(),
})
const putInput = z.strictObject({ ...table, Item: wireFields, ...expressions })
const updateInput = z.strictObject({
  ...table,
  Key: wireFields,
  UpdateExpression: z.string().optional(),
  ...expressions,
})

type Operation = (options: FallbackOptions, input: unknown) => Promise<object>

const operations: Readonly<Record<string, Operation>> = {
  GetItem: async (options, input) => {
    const { Key } = parse(options, getInput, input)
    const item = await options.store.get(keyOf(Key))
    return item === undefined ? {} : { Item: fieldsToWire(item) }
  },
  PutItem: async (options, input) => {
    const request = parse(options, putInput, input)
    const item: Item = { ...fieldsFromWire(request.Item), ...keyOf(request.Item) }
    const when = readCondition(request.ConditionExpression, placeholdersOf(request))
    return done(await options.store.write({ kind: 'put', item, when }))
  },
  UpdateItem: async (options, input) => {
    const request = parse(options, updateInput, input)
    const placeholders = placeholdersOf(request)
    const fields = readUpdate(request.UpdateExpression, placeholders)
    const when = readCondition(request.ConditionExpression, placeholders)
    return done(await options.store.update(keyOf(request.Key), fields, when))
  },
}

function operationOf(request: IncomingMessage): Operation {
  const target = String(request.headers['x-amz-target'] ?? '')
  const name = target.startsWith(TARGET) ? target.slice(TARGET.length) : ''
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
  if (operation === undefined || request.method !== 'POST') {
    request.resume()
    const text = `this engine answers ${Object.keys(operations).join(', ')} only`
    throw new WireError('UnknownOperationException', text)
  }
  return operation
}

function parse<T extends { TableName: string }>(
  options: FallbackOptions,
  schema: z.ZodType<T>,
  input: unknown,
): T {
  const parsed = schema.safeParse(input)
  if (!parsed.success) throw new WireError('ValidationException', z.prettifyError(parsed.error))
  if (parsed.data.TableName !== options.tableName) {
    throw new WireError('ResourceNotFoundException', `there is no table ${parsed.data.TableName}`)
  }
  return parsed.data
}

function keyOf(fields: WireFields): Key {
  const [pk, sk] = [fields.pk?.S, fields.sk?.S]
  if (pk === undefined || sk === undefined) {
    throw new WireError('ValidationException', 'the keys pk and sk must be texts')
  }
  return { pk, sk }
}

function placeholdersOf(input: {
  ExpressionAttributeNames?: Record<string, string> | undefined
  ExpressionAttributeValues?: WireFields | undefined
}): Placeholders {
  return {
    names: input.ExpressionAttributeNames ?? {},
    values: input.ExpressionAttributeValues ?? {},
  }
}

function done(result: WriteResult): object {
  if (result.applied) return {}
  if (result.reason === 'conflict') {
    throw new WireError('TransactionConflictException', 'a transaction on the item is under way')
  }
  throw new WireError('ConditionalCheckFailedException', 'The conditional request failed')
}

function wireErrorOf(error: unknown, log: Logger): WireError {
  if (error instanceof WireError) return error
  if (error instanceof UnknownExpression) return new WireError('ValidationException', error.message)
  if (error instanceof StoreError && error.code === 'StoreRefused') {
    return new WireError('ValidationException', error.message)
  }
  log.error('the fallback engine failed', { error: describeError(error) })
  return new WireError('InternalServerError', 'the store failed', 500)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new WireError('SerializationException', 'the body is no JSON')
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_MAX_BYTES)
      throw new WireError('RequestEntityTooLarge', 'the body is too large', 413)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
