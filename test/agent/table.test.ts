import { createServer } from 'node:http'
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { agentKeys } from '#shared/protocol/agent-keys.ts'
import { beatSchema, reportSchema, type Report } from '#shared/model/report.ts'
import { openTable, type ClosableTable } from '#agent/adapters/table.ts'
import type { Engine } from '#local/engine/dynoxide.ts'
import { ARN, assignment } from './story.ts'
import { closed, CREDENTIALS, hasEngine, listen, rawClient, startTable } from './world.ts'

Object.assign(process.env, CREDENTIALS)
const open: ClosableTable[] = []
const tableAt = (endpoint: string, timeoutMs?: number): ClosableTable => {
  const timeout = timeoutMs === undefined ? {} : { timeoutMs }
  const table = openTable({ table: 'drover', region: 'us-east-1', endpoint, ...timeout })
  open.push(table)
  return table
}
const report: Report = {
  kind: 'report',
  arn: ARN,
  bootId: 'boot-1',
  sequence: 3,
  agentVersion: '0.1.0',
  observedGeneration: 2,
  runtimes: ['process'],
  replicas: [],
  atMs: 5,
}

afterAll(() => {
  for (const table of open) table.close()
})

// Where dynoxide has no binary, local/ has its own tests of the same three calls.
describe.skipIf(!hasEngine)('with a real engine', () => {
  let engine: Engine
  let documents: DynamoDBDocumentClient
  beforeAll(async () => {
    engine = await startTable()
    documents = DynamoDBDocumentClient.from(rawClient(engine.endpoint))
  })
  afterAll(async () => {
    documents.destroy()
    await engine.stop()
  })
  const read = async (key: {
    pk: string
    sk: string
  }): Promise<Record<string, unknown> | undefined> =>
    (await documents.send(new GetCommand({ TableName: 'drover', Key: key }))).Item
  const put = (item: Record<string, unknown>): Promise<unknown> =>
    documents.send(new PutCommand({ TableName: 'drover', Item: item }))

  it('reads nothing where nothing is', async () => {
    const table = tableAt(engine.endpoint)
    expect(await table.readHead('arn:none')).toBeUndefined()
    expect(await table.readAssignment('arn:none')).toBeUndefined()
  })

  it('reads its assignment as reconcile stores it', async () => {
    const given = assignment(7, [{ id: 'web/1-1' }])
    const head = { kind: 'assignment-head', arn: ARN, node: 'node-1', generation: 7 } as const
    await put({ ...agentKeys.assignmentHead(ARN), ...head })
    await put({ ...agentKeys.assignment(ARN), ...given })
    const table = tableAt(engine.endpoint)
    expect(await table.readHead(ARN)).toEqual(head)
    expect(await table.readAssignment(ARN)).toEqual(given)
  })

  it('refuses an assignment that makes no sense', async () => {
    await put({ ...agentKeys.assignment('arn:bad'), kind: 'assignment', generation: 'seven' })
    await expect(tableAt(engine.endpoint).readAssignment('arn:bad')).rejects.toThrow()
  })

  it('writes its report with a day to live', async () => {
    await tableAt(engine.endpoint).writeReport(report)
    const item = await read(agentKeys.report(ARN))
    expect(reportSchema.parse(item)).toEqual(report)
    expect(Number(item?.ttl) * 1000).toBeGreaterThan(Date.now() + 23 * 3_600_000)
    expect(Number(item?.ttl) * 1000).toBeLessThan(Date.now() + 25 * 3_600_000)
  })

  it('writes a beat with the server’s time, even as its very first call', async () => {
    await tableAt(engine.endpoint).writeBeat({ arn: ARN, bootId: 'boot-1' })
    const item = await read(agentKeys.beat(ARN))
    const { atMs } = beatSchema.parse(item)
    expect(Math.abs(atMs - Date.now())).toBeLessThan(2_500)
    expect(Number(item?.ttl)).toBe(Math.floor(atMs / 1000) + 86_400)
    expect(item).not.toHaveProperty('usage')
  })

  it('writes with a beat what replicas use', async () => {
    const usage = { 'web/1': { cpuMilli: 20, memoryMib: 64 } }
    await tableAt(engine.endpoint).writeBeat({ arn: ARN, bootId: 'boot-1', usage })
    expect(beatSchema.parse(await read(agentKeys.beat(ARN)))).toMatchObject({ usage })
  })
})

describe('the clock of the beat', () => {
  it('is the server’s, however wrong this machine’s own may be', async () => {
    const serverMs = Date.UTC(2031, 0, 1)
    const bodies: string[] = []
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (part: Buffer) => (body += part.toString()))
      request.on('end', () => {
        bodies.push(body)
        response.setHeader('date', new Date(serverMs).toUTCString())
        response.setHeader('content-type', 'application/x-amz-json-1.0')
        response.end('{}')
      })
    })
    const table = tableAt(await listen(server))
    await table.writeBeat({ arn: ARN, bootId: 'boot-1' })
    const { Item } = JSON.parse(bodies.at(-1)!) as { Item: { atMs: { N: string } } }
    expect(Number(Item.atMs.N) - serverMs).toBeGreaterThanOrEqual(0)
    expect(Number(Item.atMs.N) - serverMs).toBeLessThan(1_000)
    await closed(server)
  })
})

describe('a table that fails', () => {
  it('that is not there is an error with its address in the cause, tried once', async () => {
    await expect(tableAt('http://127.0.0.1:1').readHead(ARN)).rejects.toMatchObject({
      code: 'TableUnreachable',
      message: expect.stringContaining(`GetItem assign#${ARN}`) as string,
    })
  })

  it('that never answers ends in time', async () => {
    const server = createServer(() => undefined)
    const table = tableAt(await listen(server), 150)
    const startMs = performance.now()
    await expect(table.writeReport(report)).rejects.toMatchObject({ code: 'TableUnreachable' })
    expect(performance.now() - startMs).toBeLessThan(1_000)
    await closed(server)
  })

  it('that answers 500 is asked once: the loop above decides when again', async () => {
    let asked = 0
    const server = createServer((_, response) => {
      asked += 1
      response.statusCode = 500
      response.end('{}')
    })
    await expect(tableAt(await listen(server)).readHead(ARN)).rejects.toMatchObject({
      code: 'TableUnreachable',
    })
    expect(asked).toBe(1)
    await closed(server)
  })
})
