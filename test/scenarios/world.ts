/**
 * A small herd told in lines of text: what a scenario's prose can set up.
 *
 * `pool general instances.families=[m7a]`, `workload web replicas=3 resources.cpu=500m`, `node n1
 * general m7a.large us-east-1a spot ready`, `replica web n1 ready`, `notice n1`, `pass +30s`.
 * Values are YAML; dotted names reach into the document.
 */
import { defaultOfferings } from '#shared/catalog/defaults.ts'
import { catalog } from '#shared/catalog/catalog.ts'
import { DEFAULT_ZONES } from '#shared/catalog/zones.ts'
import { must } from '#shared/base/assert.ts'
import { suiteOf } from '#shared/model/burn-in.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Node } from '#shared/model/node.ts'
import { nodeSchema } from '#shared/model/node.ts'
import { poolSpecSchema } from '#shared/model/pool.ts'
import type { PoolItem, TeamItem, WorkloadItem } from '#shared/model/spec-item.ts'
import { teamSpecSchema } from '#shared/model/team.ts'
import { templateKey } from '#shared/model/assignment.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import { emptyAssignment } from '#shared/planner/fold.ts'
import { priceOf } from '#shared/planner/provision/prices.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import { dataVerbs } from './data-verbs.ts'
import { emptyWorld, nextPass, START_MS } from './empty-world.ts'
import { keepRevision, rolloutVerbs } from './rollout-verbs.ts'
import { serviceVerbs, targetGroupNamed } from './service-verbs.ts'
import { scaleVerbs } from './scale-verbs.ts'
import { changeReport, documentOf, machineOf, reported } from './told.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] }
/** All of a snapshot, and it may be told otherwise. */
export type World = Mutable<Snapshot>

export function newWorld(): World {
  const offerings = [...defaultOfferings({ zones: DEFAULT_ZONES, atMs: START_MS, seed: 1 })]
  return emptyWorld({ catalog: [...catalog], offerings })
}

/** Lets one line of a scenario change the world; throws on a line that nobody knows. */
export function tell(world: World, line: string): void {
  const [verb = '', ...words] = line.trim().split(/\s+/)
  const act = verbs[verb]
  if (act === undefined) throw new Error(`a scenario does not know '${verb}' (${line})`)
  act(world, words)
}

type Verb = (world: World, words: readonly string[]) => void

const verbs: Readonly<Record<string, Verb>> = {
  pool: (world, [name = '', ...rest]) => {
    const spec = poolSpecSchema.parse(documentOf(rest))
    replace(world.pools, { ...meta(world, name), noun: 'pool', spec } satisfies PoolItem)
  },
  workload: (world, [name = '', ...rest]) => {
    const { behind, ...told } = documentOf(rest)
    const targetGroupArn = targetGroupNamed(String(behind))
    const service = behind === undefined ? {} : { service: { targetGroupArn } }
    const document = { command: ['serve'], ...service, ...told }
    const spec = workloadSpecSchema.parse(document)
    const old = world.workloads.find((own) => own.name === name)
    const item: WorkloadItem = {
      ...meta(world, name),
      generation: (old?.generation ?? 0) + 1,
      noun: 'workload',
      spec,
    }
    replace(world.workloads, item)
    keepRevision(world, item)
  },
  ...rolloutVerbs,
  ...serviceVerbs,
  ...dataVerbs,
  ...scaleVerbs,
  team: (world, [name = '', ...rest]) => {
    const spec = teamSpecSchema.parse(documentOf(rest))
    replace(world.teams, { ...meta(world, name), noun: 'team', spec } satisfies TeamItem)
  },
  settings: (world, words) => {
    world.settings = { ...world.settings, ...documentOf(words) }
  },
  delete: (world, [name]) => {
    const item = must(
      [...world.workloads, ...world.pools, ...world.teams].find((own) => own.name === name),
      `${String(name)}`,
    )
    const gone = { ...item, deletedAtMs: world.nowMs }
    if (gone.noun === 'workload') replace(world.workloads, gone)
    else if (gone.noun === 'pool') replace(world.pools, gone)
    else replace(world.teams, gone)
  },
  node: (
    world,
    [name = '', pool = '', type = '', zone = '', capacity = 'spot', phase = 'ready'],
  ) => {
    addNode(world, { name, pool, type, zone, capacity, phase })
  },
  /** A claim has come up as that machine, and has passed. */
  up: (world, [name = '', type = '', zone = '']) => {
    const claim = must(
      world.nodes.find((own) => own.name === name),
      `claim ${name}`,
    )
    world.nodes = world.nodes.filter((own) => own !== claim)
    const { pool, capacityType } = claim
    addNode(world, { name, pool, type, zone, capacity: capacityType, phase: 'ready' })
    const at = world.nodes.length - 1
    world.nodes[at] = { ...must(world.nodes[at], name), claim: claim.claim }
  },
  /** EC2 had nothing for a claim. */
  'give-up': (world, [name]) => {
    world.nodes = world.nodes.filter((own) => own.name !== name)
  },
  /** Its agent has found a container engine. */
  engine: (world, [name]) => {
    const node = must(
      world.nodes.find((own) => own.name === name),
      `node ${String(name)}`,
    )
    const report = world.reports.find((own) => own.arn === node.machine?.arn)
    node.runtimes = ['process', 'docker']
    if (report !== undefined) report.runtimes = ['process', 'docker']
  },
  set: (world, [name, ...rest]) => {
    const i = world.nodes.findIndex((own) => own.name === name)
    const changed = { ...must(world.nodes[i], `node ${String(name)}`), ...documentOf(rest) }
    world.nodes[i] = nodeSchema.parse(changed)
  },
  replica: (world, [name = '', node = '', state = 'ready', ...rest]) => {
    addReplica(world, { name, node, state, extra: documentOf(rest) })
  },
  /** A bound replica's probe succeeds. */
  ready: (world, [id]) => {
    const assignment = must(
      world.assignments.find((own) => own.replicas.some((one) => one.id === id)),
      `replica ${String(id)}`,
    )
    const version = assignment.replicas.find((own) => own.id === id)?.version ?? ''
    const report = world.reports.find((own) => own.arn === assignment.arn)
    changeReport(world, assignment.node, {
      replicas: [...(report?.replicas ?? []), reported(String(id), version, 'ready')],
    })
  },
  /** Its process has ended so often by now; it waits for its next start, or `running` again. */
  crashed: (world, [id = '', times = '1', phase = 'failed']) => {
    const crashes = Number(times)
    const restarts = phase === 'failed' ? crashes - 1 : crashes
    const lastExit = { code: 1, reason: 'Error', atMs: world.nowMs }
    const ready = phase === 'ready'
    changeReplica(world, id, { phase: phase as 'failed', ready, restarts, lastExit })
  },
  /** Its process runs, and its probe fails. */
  unwell: (world, [id = '']) => {
    changeReplica(world, id, { phase: 'running', ready: false })
  },
  well: (world, [id = '']) => {
    changeReplica(world, id, { phase: 'ready', ready: true })
  },
  /** The agent of a machine that boots has come up. */
  agent: (world, [name = '']) => {
    startAgent(world, name)
  },
  /** Its agent tells of these problems and no others: `finds n1 DiskError XidReset:2`. */
  finds: (world, [node = '', ...problems]) => {
    const health = problems.map((own) => {
      const [reason = '', times = '1'] = own.split(':')
      return { reason, text: 'so it says', times: Number(times) }
    })
    changeReport(world, node, { health })
  },
  /** The machine has booted anew. */
  reboot: (world, [node]) => {
    const { arn } = machineOf(world, String(node))
    const old = world.reports.find((own) => own.arn === arn)
    changeReport(world, String(node), { bootId: `${old?.bootId ?? ''}+` })
  },
  /** EC2 lists a running instance of ours that is so old; the listing is made anew each time. */
  stray: (world, [instanceId = '', type = '', zone = '', age = '1h']) => {
    const ageMs = Number(age.slice(0, -1)) * (age.endsWith('h') ? 3_600_000 : 60_000)
    const instance = {
      instanceId,
      arn: `arn:aws:ec2:us-east-1:1:instance/${instanceId}`,
      instanceType: type,
      zone,
      capacityType: 'spot' as const,
      state: 'running' as const,
      launchedAtMs: world.nowMs - ageMs,
      tags: { 'drover:launch': '0-9/1', 'drover:table': 'test', 'drover:pool': 'general' },
    }
    const items = [...(world.listing?.items ?? []), instance]
    world.listing = { listedAtMs: world.nowMs, items, impaired: [] }
  },
  /** The agent has let go of what it was told to stop, and has read its newest orders. */
  obey: (world, [node]) => {
    const assignment = must(
      world.assignments.find((own) => own.node === node),
      `assignment of ${String(node)}`,
    )
    changeReport(world, String(node), {
      observedGeneration: assignment.generation,
      replicas: assignment.replicas
        .filter((own) => own.order === 'run')
        .map((own) => reported(own.id, own.version, 'ready')),
    })
  },
  notice: (world, [node]) => {
    const { instanceId } = machineOf(world, String(node))
    const interruption = { action: 'terminate', atMs: world.nowMs }
    world.signals.push({ kind: 'signal', instanceId, interruption })
  },
  ended: (world, [node, state = 'terminated']) => {
    const { instanceId } = machineOf(world, String(node))
    const signal = {
      kind: 'signal' as const,
      instanceId,
      state: { value: state, atMs: world.nowMs },
    }
    world.signals = [...world.signals.filter((own) => own.instanceId !== instanceId), signal]
  },
  silent: (world, [node]) => {
    const { arn } = machineOf(world, String(node))
    world.beats = world.beats.filter((own) => own.arn !== arn)
  },
  'set-suspect': (world, [instanceId = '']) => {
    world.pass = { ...world.pass, suspects: { [instanceId]: world.nowMs } }
  },
  'set-invalid': (world, [key = '']) => {
    world.invalid.push({ key, text: 'does not parse' })
  },
  order: (world, [verb, name = '', ...rest]) => {
    if (verb === 'sweep-allow') {
      const sweep = { kind: 'order', target: 'sweep', name: 'sweep', verb } as const
      world.orders.push({ ...sweep, atMs: world.nowMs })
      return
    }
    if (verb === 'withdraw') {
      world.orders = world.orders.filter((own) => own.name !== name)
      return
    }
    const common = { kind: 'order', name, atMs: world.nowMs, force: false, deadlineSeconds: 900 }
    const target = verb === 'release-brake' ? 'pool' : 'node'
    world.orders.push({ ...common, target, verb, ...documentOf(rest) } as never)
  },
  /** Of one check; with `needs=reset` and the like, `refused=true`, `certified=<ms>`. */
  verdict: (world, [name = '', verdict = 'PASS', text = '', ...rest]) => {
    const { check = 'cpu', refused, certified, ...more } = documentOf(rest)
    const node = must(
      world.nodes.find((own) => own.name === name),
      `node ${name}`,
    )
    const burnIn = must(node.burnIn, 'a burn-in')
    world.verdicts.push({
      kind: 'verdict',
      node: name,
      arn: machineOf(world, name).arn,
      bootId: must(node.bootId, 'a boot id'),
      attempt: burnIn.attempt,
      suite: burnIn.suite,
      verdict: verdict as 'PASS',
      checks: [{ name: String(check), verdict: verdict as 'PASS', measures: {}, text, ...more }],
      ...(refused === undefined ? {} : { refused: true }),
      ...(certified === undefined ? {} : { certifiedForMs: Number(certified) }),
      atMs: world.nowMs,
    })
  },
  shortage: (world, [instanceType = '', zone = '', capacityType = 'spot']) => {
    world.shortages.push({
      kind: 'shortage',
      instanceType,
      zone,
      capacityType: capacityType as 'spot',
      code: 'InsufficientInstanceCapacity',
      text: '',
      failures: 1,
      sinceMs: world.nowMs,
      untilMs: world.nowMs + LIMITS.shortageFirstMs,
    })
  },
  /** `rate m7a.large us-east-1a failed=3 passed=9`, and `image=ami-1` where the pool names one. */
  rate: (world, [instanceType = '', zone = '', ...rest]) => {
    const { failed = 0, passed = 0, image } = documentOf(rest) as Record<string, number>
    const counts = { failed, passed, ...(image === undefined ? {} : { imageId: String(image) }) }
    const rates = [...(world.rates?.rates ?? []), { instanceType, zone, ...counts }]
    world.rates = { kind: 'rates', revision: 1, atMs: world.nowMs, rates }
  },
  market: (world, words) => {
    const { types, zones } = documentOf(words) as { types?: string[]; zones?: string[] }
    world.offerings = world.offerings.filter(
      (own) => (types?.includes(own.instanceType) ?? true) && (zones?.includes(own.zone) ?? true),
    )
  },
  /** `price m7a.large us-east-1a spot 0.05`; without a zone's name, `*`, in all of them. */
  price: (world, [type = '', zone = '', capacity = '', usd = '']) => {
    world.offerings = world.offerings.map((own) => {
      const isMeant = own.instanceType === type && own.capacityType === capacity
      const isThere = zone === '*' || own.zone === zone
      return isMeant && isThere ? { ...own, priceUsdPerHour: Number(usd) } : own
    })
  },
  /** The claims of a launch are dealt their machines, in the first of their places unless named. */
  deal: (world, [launchId = '', place, phase = 'ready']) => {
    const claims = world.nodes.filter((own) => own.launchId === launchId)
    for (const { claim, name, pool, capacityType, repack, createdAtMs } of claims) {
      const [type = '', zone = ''] = (place ?? claim.places[0] ?? '').split('/')
      world.nodes = world.nodes.filter((own) => own.name !== name)
      addNode(world, { name, pool, type, zone, capacity: capacityType, phase })
      const i = world.nodes.findIndex((own) => own.name === name)
      const fresh = must(world.nodes[i], `node ${name}`)
      world.nodes[i] = nodeSchema.parse({ ...fresh, launchId, createdAtMs, repack })
    }
  },
  pass: (world, [by = '+0s']) => {
    const ms = Number(by.slice(1, -1)) * (by.endsWith('m') ? 60_000 : 1_000)
    Object.assign(world, nextPass(world, ms))
    if (world.listing !== undefined) world.listing = { ...world.listing, listedAtMs: world.nowMs }
  },
}

function meta(world: World, name: string): Omit<WorkloadItem, 'noun' | 'spec'> {
  const common = { kind: 'spec' as const, name, uid: `u-${name}`, generation: 1 }
  return { ...common, createdAtMs: world.nowMs, updatedAtMs: world.nowMs }
}

function replace<T extends { name: string }>(items: T[], item: T): void {
  const i = items.findIndex((own) => own.name === item.name)
  if (i < 0) items.push(item)
  else items[i] = item
}

type NodeLine = {
  name: string
  pool: string
  type: string
  zone: string
  capacity: string
  phase: string
}

function addNode(world: World, line: NodeLine): void {
  const { name, pool, type, zone, capacity, phase } = line
  const shape = must(
    catalog.find((own) => own.name === type),
    `type ${type}`,
  )
  const capacityType = capacity === 'on-demand' ? 'on-demand' : 'spot'
  const place = { instanceType: type, zone, capacityType, pool } as const
  const priceUsdPerHour = must(priceOf(world, place), `a price for ${type} in ${zone}`)
  const arn = `arn:aws:ec2:us-east-1:1:instance/i-${name}`
  const spec = world.pools.find((own) => own.name === pool)?.spec
  const { name: suite, checks } = suiteOf(spec?.burnIn, shape)
  const ami = spec?.launch.ami
  const started = phase !== 'booting'
  const node: Node = nodeSchema.parse({
    kind: 'node',
    name,
    pool,
    phase,
    phaseSinceMs: world.nowMs,
    createdAtMs: world.nowMs,
    capacityType,
    architecture: shape.architecture,
    launchId: '0-0',
    claim: {
      places: [`${type}/${zone}`],
      least: shape.allocatable,
      largest: shape.allocatable,
      dearestUsdPerHour: priceUsdPerHour,
    },
    machine: {
      instanceId: `i-${name}`,
      arn,
      instanceType: type,
      zone,
      allocatable: shape.allocatable,
      gpuCount: shape.gpuCount,
      ...(shape.gpuModel === undefined ? {} : { gpuModel: shape.gpuModel }),
      priceUsdPerHour,
      launchedAtMs: world.nowMs - 3_600_000,
      ...(ami === undefined ? {} : { imageId: ami }),
    },
    ...(started
      ? {
          bootId: `boot-${name}`,
          runtimes: ['process'],
          burnIn: {
            attempt: 1,
            suite,
            startedAtMs: world.nowMs,
            deadlineMs: world.nowMs + 300_000,
          },
        }
      : {}),
  })
  world.nodes.push(node)
  const isTesting = phase === 'testing'
  const burnIn = isTesting ? { burnIn: { attempt: 1, suite, checks: [...checks] } } : {}
  world.assignments.push({ ...emptyAssignment(name, arn), ...burnIn })
  if (!started) return
  startAgent(world, name)
}

function startAgent(world: World, name: string): void {
  const { arn } = machineOf(world, name)
  const common = { arn, bootId: `boot-${name}`, atMs: world.nowMs }
  world.beats.push({ kind: 'beat', ...common })
  world.reports.push({
    kind: 'report',
    ...common,
    sequence: 1,
    agentVersion: 'test',
    observedGeneration: 1,
    runtimes: ['process'],
    replicas: [],
  })
}

type ReplicaLine = { name: string; node: string; state: string; extra: Record<string, unknown> }

function addReplica(world: World, { name, node, state, extra }: ReplicaLine): void {
  const workload = must(
    world.workloads.find((own) => own.name === name),
    `workload ${name}`,
  )
  const template = { ...templateOf(workload.spec), ...(extra['template'] as object | undefined) }
  const version = versionOf(template)
  const i = world.assignments.findIndex((own) => own.node === node)
  const own = must(world.assignments[i], `node ${node}`)
  const bound = {
    id: `${name}/${node}-${String(own.replicas.length + 1)}`,
    workload: name,
    uid: workload.uid,
    version,
    gpus: (extra['gpus'] as { index: number; milli: number }[] | undefined) ?? [],
    order: 'run' as const,
    graceSeconds: template.terminationGraceSeconds,
    assignedAtMs: world.nowMs,
    ...(state === 'ready' ? { readySinceMs: world.nowMs } : {}),
  }
  world.assignments[i] = {
    ...own,
    templates: { ...own.templates, [templateKey(bound)]: template },
    replicas: [...own.replicas, bound],
  }
  const report = world.reports.find((one) => one.arn === own.arn)
  changeReport(world, node, {
    replicas: [...(report?.replicas ?? []), reported(bound.id, version, state)],
  })
}

function changeReplica(
  world: World,
  id: string,
  changes: Partial<Snapshot['reports'][number]['replicas'][number]>,
): void {
  const isTold = ({ replicas }: Snapshot['reports'][number]): boolean =>
    replicas.some((one) => one.id === id)
  const own = must(world.reports.find(isTold), `a report of ${id}`)
  const replicas = own.replicas.map((one) => (one.id === id ? { ...one, ...changes } : one))
  world.reports = world.reports.map((one) => (one === own ? { ...own, replicas } : one))
}
