/**
 * The story that the demo tells, one step after the other.
 *
 * Each step does something a person would do, waits until the herd is as it should be, and says
 * what it saw. A step that does not hold throws, and the demo fails.
 */
import { join } from 'node:path'
import type { NodeAnswer } from '#shared/protocol/api.ts'
import { processesOf } from './processes-of.ts'
import { runCommand, startChild, type DroverChild } from './child.ts'
import { HerdError, isSettled, makeHerd, until, type Herd } from './herd.ts'
import { watchService, type Watch } from './watch.ts'

export type Tell = (text: string) => void

export type Stage = {
  readonly stateDirectory: string
  readonly port: number
  readonly tell: Tell
  child?: DroverChild
  herd?: Herd
  watch?: Watch
}

export type Step = { readonly title: string; readonly run: (stage: Stage) => Promise<void> }

const EXAMPLE = join('examples', 'quickstart.yaml')
const SERVICE = 'web'
const WORKLOADS = ['workload/web', 'workload/worker', 'workload/gpu-job']
const MIN_AVAILABLE = 2
const NOTICE_SECONDS = 20
const SETTLE_MS = 60_000
const LEAVE_MS = 60_000

export const STORY: readonly Step[] = [
  { title: 'start a drover of its own', run: start },
  { title: 'apply a web service, a worker and a GPU job', run: apply },
  { title: 'wait until all of it is ready', run: becomeReady },
  { title: `EC2 takes a spot machine back, in ${String(NOTICE_SECONDS)} s`, run: interrupt },
  { title: 'scale the web service from 3 to 5', run: scale },
  { title: 'drain one of its nodes', run: drain },
  { title: 'look back at what the service went through', run: lookBack },
  { title: 'delete everything', run: deleteAll },
  { title: 'end drover', run: end },
]

async function start(stage: Stage): Promise<void> {
  stage.child = await startChild(stage)
  stage.herd = makeHerd(stage.child.url)
  stage.tell(`it is ready at ${stage.child.url}`)
}

async function apply(stage: Stage): Promise<void> {
  await drover(stage, ['apply', '-f', EXAMPLE])
}

async function becomeReady(stage: Stage): Promise<void> {
  await drover(stage, ['wait', '--for', 'ready', ...WORKLOADS])
  stage.watch = watchService(() => herdOf(stage), SERVICE)
  await drover(stage, ['get', 'nodes'])
  stage.tell(`from here on every ready replica of ${SERVICE} is called all the time`)
}

async function interrupt(stage: Stage): Promise<void> {
  const herd = herdOf(stage)
  const node = await nodeUnder(herd, ({ capacityType }) => capacityType === 'spot')
  await herd.send('POST', `/local/instances/${node.instanceId ?? ''}/interrupt`, {
    noticeSeconds: NOTICE_SECONDS,
  })
  stage.tell(`${node.name} gets its notice: ${String(node.replicas.length)} replicas must move`)
  await settledWithout(stage, node.name)
}

async function scale(stage: Stage): Promise<void> {
  await drover(stage, ['scale', SERVICE, '5'])
  await settled(stage)
}

async function drain(stage: Stage): Promise<void> {
  const node = await nodeUnder(herdOf(stage), () => true)
  await drover(stage, ['node', 'drain', node.name])
  await settledWithout(stage, node.name)
}

async function lookBack(stage: Stage): Promise<void> {
  const seen = await stage.watch?.stop()
  if (seen === undefined || seen.looks === 0) throw new HerdError('nobody watched the service')
  stage.tell(
    `looked ${String(seen.looks)} times, called ${String(seen.calls)} times; ` +
      `never fewer than ${String(seen.fewestReady)} ready, ` +
      `${String(seen.fewestAnswering)} answering; ${String(seen.failures.length)} calls failed`,
  )
  if (Math.min(seen.fewestReady, seen.fewestAnswering) < MIN_AVAILABLE) {
    throw new HerdError(`fewer than ${String(MIN_AVAILABLE)} replicas were available`, seen)
  }
  const [first] = seen.failures
  if (first !== undefined) throw new HerdError(`a call to ${first.replica} failed: ${first.text}`)
}

async function deleteAll(stage: Stage): Promise<void> {
  const herd = herdOf(stage)
  await drover(stage, ['delete', '-f', EXAMPLE])
  await until({ what: 'no node and no machine is left', withinMs: LEAVE_MS }, async () => {
    const [workloads, nodes, instances] = await Promise.all([
      herd.workloads(),
      herd.nodes(),
      herd.instances(),
    ])
    return workloads.length + nodes.length + instances.length === 0
  })
  const left = agentsOf(stage)
  if (left.length > 0) throw new HerdError('processes of ended machines still run', left)
  stage.tell('no workload, no node, no machine and none of their processes is left')
}

async function end(stage: Stage): Promise<void> {
  const ended = await stage.child?.end('SIGTERM')
  if (ended?.code !== 0) throw new HerdError('drover did not end well', ended)
  const left = processesOf(stage.stateDirectory)
  if (left.length > 0) throw new HerdError('processes are left behind', left)
  stage.tell('no process is left')
}

/** Those of the herd's processes that belong to machines. */
function agentsOf({ stateDirectory, child }: Stage): readonly { pid: number }[] {
  return processesOf(stateDirectory).filter(
    ({ pid, command }) => pid !== child?.pid && !command.includes('dynoxide'),
  )
}

/** Runs a command as a person would, shows what it says, and fails when it does. */
async function drover(stage: Stage, argv: readonly string[]): Promise<void> {
  stage.tell(`$ drover ${argv.join(' ')}`)
  const { code, out, err } = await runCommand(herdOf(stage).url, argv)
  for (const line of out.trimEnd().split('\n')) if (line !== '') stage.tell(`  ${line}`)
  if (code !== 0) throw new HerdError(`drover ${argv.join(' ')} exits ${String(code)}: ${err}`)
}

function herdOf({ herd }: Stage): Herd {
  if (herd === undefined) throw new HerdError('drover is not started')
  return herd
}

/** A node that carries the service. */
async function nodeUnder(herd: Herd, fits: (node: NodeAnswer) => boolean): Promise<NodeAnswer> {
  const nodes = await herd.nodes()
  const found = nodes.find(
    (node) =>
      node.phase === 'ready' &&
      fits(node) &&
      node.replicas.some((id) => id.startsWith(`${SERVICE}/`)),
  )
  if (found === undefined) throw new HerdError(`no such node carries ${SERVICE}`, nodes)
  return found
}

function settled(stage: Stage): Promise<unknown> {
  const herd = herdOf(stage)
  return until({ what: 'all workloads are ready', withinMs: SETTLE_MS }, async () => {
    const workloads = await herd.workloads()
    return workloads.length > 0 && workloads.every(isSettled)
  })
}

async function settledWithout(stage: Stage, name: string): Promise<void> {
  const herd = herdOf(stage)
  await until({ what: `${name} is gone`, withinMs: SETTLE_MS }, async () => {
    const nodes = await herd.nodes()
    return nodes.every((node) => node.name !== name)
  })
  await settled(stage)
  stage.tell(`${name} is gone and everything is ready again`)
}
