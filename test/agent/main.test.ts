import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Assignment } from '#shared/model/assignment.ts'
import { reportSchema, type Report, type ReportedReplica } from '#shared/model/report.ts'
import { agentKeys } from '#shared/protocol/agent-keys.ts'
import { processesOf, signalPid } from '#agent/adapters/processes.ts'
import type { Engine } from '#local/engine/dynoxide.ts'
import { asked } from '../asked.ts'
import { assignment, type BoundInput } from './story.ts'
import {
  CREDENTIALS,
  hasEngine,
  rawClient,
  startMetadata,
  startTable,
  temporaryDirectory,
  until,
  type FakeMetadata,
} from './world.ts'

/** The whole agent as a process, as a node runs it: its environment is its only input. */
const MAIN = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))
const PROGRAMS = fileURLToPath(new URL('../../examples/programs', import.meta.url))

let engine: Engine
let documents: DynamoDBDocumentClient
let metadata: FakeMetadata
let directory: { path: string; remove: () => void }
let instanceId: string
let arn: string
let generation: number
const agents: ChildProcess[] = []

type Running = { child: ChildProcess; lines: string[]; ended: Promise<number | string | null> }

function startAgent(extra: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...CREDENTIALS,
      PATH: process.env.PATH,
      AWS_ENDPOINT_URL_DYNAMODB: engine.endpoint,
      DROVER_TABLE: 'drover',
      DROVER_AGENT_DIR: directory.path,
      DROVER_METADATA_URL: metadata.url,
      DROVER_METADATA_POLL_MS: '50',
      DROVER_HEAD_POLL_MS: '50',
      DROVER_CHECK_DISK_MIB: '1',
      DROVER_BOOT_ID: 'boot-1',
      DROVER_PROGRAMS: PROGRAMS,
      ...extra,
    },
  })
  agents.push(child)
  const lines: string[] = []
  child.stdout.on('data', (part: Buffer) => lines.push(part.toString()))
  const ended = new Promise<number | string | null>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(code ?? signal)
    })
  })
  return { child, lines, ended }
}

const put = (item: Record<string, unknown>): Promise<unknown> =>
  documents.send(new PutCommand({ TableName: 'drover', Item: item }))
const get = async (key: { pk: string; sk: string }): Promise<Record<string, unknown> | undefined> =>
  (await documents.send(new GetCommand({ TableName: 'drover', Key: key }))).Item
const readReport = async (): Promise<Report | undefined> => {
  const item = await get(agentKeys.report(arn))
  return item === undefined ? undefined : reportSchema.parse(item)
}

/** Writes what reconcile would, body before head. */
async function assign(
  replicas: readonly BoundInput[],
  extra: Partial<Assignment> & { template?: Record<string, unknown> } = {},
): Promise<void> {
  generation += 1
  const given = { ...assignment(generation, replicas, extra), arn }
  await put({ ...agentKeys.assignment(arn), ...given })
  const head = { kind: 'assignment-head', arn, node: 'node-1', generation }
  await put({ ...agentKeys.assignmentHead(arn), ...head })
}

function reported(what: string, look: (report: Report) => boolean): Promise<Report> {
  return until(what, async () => {
    const report = await readReport()
    return report !== undefined && look(report) ? report : undefined
  })
}
const inPhase = (id: string, phase: ReportedReplica['phase']) => (report: Report) =>
  report.replicas.some((own) => own.id === id && own.phase === phase)

const web = {
  command: ['node', '$(DROVER_PROGRAMS)/web.mjs'],
  ports: [{ name: 'http' }],
  health: { http: { path: '/healthz', port: 'http' }, intervalSeconds: 1 },
  env: { LAME_DUCK_MS: '50' },
}

beforeAll(async () => {
  if (!hasEngine) return
  engine = await startTable()
  documents = DynamoDBDocumentClient.from(rawClient(engine.endpoint), {
    marshallOptions: { removeUndefinedValues: true },
  })
})
afterAll(async () => {
  if (!hasEngine) return
  documents.destroy()
  await engine.stop()
})
beforeEach(async () => {
  directory = temporaryDirectory()
  instanceId = `i-${String(process.pid)}x${String(Math.round(performance.now()))}`
  arn = `arn:aws:ec2:us-east-1:123456789012:instance/${instanceId}`
  generation = 0
  metadata = await startMetadata(instanceId)
})
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.kill('SIGKILL')
  for (const left of processesOf({ instanceId })) signalPid(left.pid, 'SIGKILL')
  await metadata.close()
  directory.remove()
})

describe.skipIf(!hasEngine)('a node’s agent', () => {
  it('burns in, runs, outlives kill -9, tells of the notice, stops what is ordered', async () => {
    await assign([], { burnIn: { attempt: 1, suite: 'basic', checks: asked('basic') } })
    const first = startAgent()
    const tested = await reported('the burn-in', (report) => report.burnIn?.state === 'finished')
    const verdicts = tested.burnIn?.checks.map((check) => check.verdict)
    expect(verdicts).toEqual(asked('basic').map(() => 'PASS'))
    expect(tested).toMatchObject({ observedGeneration: 1, runtimes: ['process'] })
    expect(await until('a beat', () => get(agentKeys.beat(arn)))).toMatchObject({
      bootId: 'boot-1',
    })

    await assign([{ id: 'web/1-1' }], { template: web })
    const ready = (await reported('the web service', inPhase('web/1-1', 'ready'))).replicas[0]!
    const url = `http://${String(ready.addresses.http)}/`
    expect(await (await fetch(url)).json()).toMatchObject({ replica: 'web/1-1', node: 'node-1' })

    first.child.kill('SIGKILL')
    await first.ended
    expect((await fetch(url)).status).toBe(200)
    const { sequence } = (await readReport())!
    const second = startAgent()
    const again = await reported('the second agent', (report) => report.sequence > sequence)
    expect(again.replicas).toEqual([ready])

    const time = new Date(Date.now() + 120_000).toISOString()
    const notice = JSON.stringify({ action: 'terminate', time })
    metadata.answers.set('/latest/meta-data/spot/instance-action', notice)
    const noticed = await reported('the notice', (report) => report.interruption !== undefined)
    expect(noticed).toMatchObject({
      interruption: { action: 'terminate', deadlineMs: Date.parse(time) },
    })
    expect(noticed.replicas[0]?.phase).toBe('ready')

    await assign([{ id: 'web/1-1', order: 'stop' }], { template: web })
    await reported('its end', inPhase('web/1-1', 'gone'))
    await expect(fetch(url)).rejects.toThrow()
    expect(processesOf({ instanceId })).toEqual([])
    second.child.kill('SIGTERM')
    expect(await second.ended).toBe(0)
  })

  it('leaves its replicas running when told to end, and works alone in its directory', async () => {
    await assign([{ id: 'job/1-1', gpus: [{ index: 2, milli: 1000 }] }], {
      template: { command: ['node', '$(DROVER_PROGRAMS)/gpu-job.mjs'] },
    })
    const agent = startAgent()
    await reported('the job', inPhase('job/1-1', 'ready'))
    const other = startAgent()
    expect(await other.ended).toBe(1)
    expect(other.lines.join('')).toContain('AgentAlreadyRuns')
    agent.child.kill('SIGTERM')
    expect(await agent.ended).toBe(0)
    const [left] = processesOf({ instanceId })
    expect(left?.environment).toMatchObject({
      DROVER_REPLICA_ID: 'job/1-1',
      CUDA_VISIBLE_DEVICES: '2',
    })
  })

  it('reports what crashes and what is not there, and starts it again', async () => {
    await assign([{ id: 'bad/1-1' }], { template: { command: ['no-such-program'] } })
    startAgent()
    const { lastExit } = (await reported('the failure', inPhase('bad/1-1', 'failed'))).replicas[0]!
    expect(lastExit?.reason).toBe('CommandNotFound: no-such-program')
    await reported('another try', (report) => (report.replicas[0]?.restarts ?? 0) >= 1)
  })

  it('ends itself and its replicas when metadata falls silent for too long', async () => {
    await assign([{ id: 'worker/1-1' }], {
      template: { command: ['node', '$(DROVER_PROGRAMS)/worker.mjs'], env: { JOB_MS: '20' } },
    })
    const agent = startAgent({ DROVER_POWER_OFF_AFTER_SECONDS: '1' })
    await reported('the worker', inPhase('worker/1-1', 'ready'))
    metadata.broken = 503
    expect(await agent.ended).toBe(0)
    expect(agent.lines.join('')).toContain('metadata has been silent')
    expect(processesOf({ instanceId })).toEqual([])
  })

  it('keeps what runs while the table is away, and catches up', async () => {
    await assign([{ id: 'worker/1-1' }], { template: { command: ['sleep', '60'] } })
    const agent = startAgent()
    await reported('the sleeper', inPhase('worker/1-1', 'ready'))
    const [sleeper] = processesOf({ instanceId })
    process.kill(engine.pid, 'SIGSTOP')
    try {
      agent.child.kill('SIGKILL')
      await agent.ended
      process.kill(sleeper!.pid, 'SIGKILL')
      startAgent()
      // Known from its file alone: what ended while nobody looked is started again.
      await until('a new sleeper', () =>
        processesOf({ instanceId }).some(({ pid }) => pid !== sleeper!.pid),
      )
    } finally {
      process.kill(engine.pid, 'SIGCONT')
    }
    await reported('the restart', (report) => report.replicas[0]?.restarts === 1)
  })
})

describe('a wrong environment', () => {
  it('is named, and ends the agent', async () => {
    const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env.PATH } })
    let text = ''
    child.stdout.on('data', (part: Buffer) => (text += part.toString()))
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(1)
    expect(text).toContain('DROVER_TABLE: is not set')
  })
})
