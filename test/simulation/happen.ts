/**
 * Carries the script's steps out: what people ask for, and what strikes which machine.
 *
 * Whom a step strikes is drawn from those there are when it happens. A step that finds nobody to
 * strike is no step.
 */
import type { Ec2Instance, Ec2Offering } from '#shared/cloud/memory-ec2/types.ts'
import { TAGS } from '#shared/model/launch.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { metricLabel } from '#shared/model/metric.ts'
import { agentKeys } from '#shared/protocol/agent-keys.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item, Key } from '#shared/store/store.ts'
import type { Chance } from './chance.ts'
import type { Faults } from './faults.ts'
import { gpusOf, isGood } from './hardware.ts'
import { hang, processEnds, wake, writeBeat, type Machine, type Process } from './machine.ts'
import type { ApiRequest, People } from './people.ts'
import type { Backends } from './ports.ts'
import type { Happening, Step } from './script.ts'
import type { Caller, Role } from './traffic.ts'
import { METRIC, queueOf } from './scaled.ts'
import { setFinding } from './watch.ts'

export type Stage = {
  readonly backends: Backends
  readonly chance: Chance
  readonly faults: Faults
  readonly people: People
  readonly machines: ReadonlyMap<string, Machine>
  readonly peek: (key: Key) => Item | undefined
  readonly partition: (pk: string) => readonly Item[]
  /** What places could sell before any drought. */
  readonly capacityOf: (offering: Ec2Offering) => number
  outUntilMs: number
  /** Machines that EC2's lists leave out. */
  readonly unlisted: Set<string>
  /** Pools whose new machines boot a bad image. */
  readonly badImages: Set<string>
  /** Ends what a step began, at its time or when the faults end. */
  readonly mends: Set<() => void>
}

type Of<K extends Happening['kind']> = Extract<Happening, { kind: K }>
type Acts = {
  readonly [K in Happening['kind']]: (stage: Stage, happening: Of<K>, key: string) => void
}

export function happen(stage: Stage, step: Step, key: string): void {
  const act = acts[step.kind] as (stage: Stage, happening: Happening, key: string) => void
  act(stage, step, key)
}

const PLURALS: Readonly<Record<string, string>> = { Workload: 'workloads', Pool: 'pools' }
const INTERRUPTION_SPREAD_MS = 60_000

const acts: Acts = {
  apply: ({ people }, { document }) => {
    people.ask({
      method: 'PUT',
      path: `/v1/${PLURALS[document.kind] ?? 'teams'}/${document.name}`,
      body: document,
    })
  },
  scale: ({ people }, { name, replicas }) => {
    people.ask({ method: 'POST', path: `/v1/workloads/${name}/scale`, body: { replicas } })
  },
  push: ({ people, backends }, { name, value }) => {
    backends.metrics.set(metricLabel(queueOf(name)), value)
    const path = `/v1/workloads/${name}/metrics/${METRIC}`
    people.ask({ method: 'POST', path, body: { value } })
  },
  rollout: ({ people }, { name, action }) => {
    people.ask({ method: 'POST', path: `/v1/workloads/${name}/rollout`, body: { action } })
  },
  delete: ({ people }, { noun, name }) => {
    people.ask({ method: 'DELETE', path: `/v1/${noun}s/${name}` })
  },
  order: (stage, { verb }, key) => {
    const node = pick(stage, key, stage.partition('node'))
    if (node === undefined) return
    const deadlineSeconds = stage.chance.pick(`deadline ${key}`, [60, 900])
    const force = verb === 'terminate' && stage.chance.of(`force ${key}`) < 0.3 ? '?force=true' : ''
    const path = `/v1/nodes/${node.sk}/${verb}${force}`
    stage.people.ask({ method: 'POST', path, body: { deadlineSeconds } })
  },
  withdraw: (stage, _, key) => {
    const order = pick(
      stage,
      key,
      stage.partition('order').filter((own) => own.sk.startsWith('node#')),
    )
    if (order === undefined) return
    stage.people.ask({ method: 'POST', path: `/v1/nodes/${order.sk.slice(5)}/uncordon` })
  },
  'release-brake': ({ people }, { pool }) => {
    people.ask({ method: 'POST', path: `/v1/pools/${pool}/release-brake` })
  },
  'allow-sweep': ({ people }) => {
    people.ask({ method: 'POST', path: '/v1/sweep/allow' })
  },
  'clear-hardware': (stage, _, key) => {
    const bad = pick(stage, key, badGpusOf(stage))
    if (bad !== undefined) stage.people.ask({ method: 'POST', path: `/v1/hardware/${bad}/clear` })
  },
  look: (stage) => {
    for (const request of looksOf(stage)) stage.people.ask(request)
  },
  garbage: (stage, { name }) => {
    const spec = { replicas: 'as many as it takes' }
    const meta = { kind: 'spec', noun: 'workload', name, uid: `x-${name}`, generation: 1 }
    write(stage, { ...keys.spec('workload', name), ...meta, spec }, { role: 'admin-api' })
  },
  interrupt: (stage, { noticeSeconds }, key) => {
    const instance = pick(stage, key, spotOf(stage))
    if (instance === undefined) return
    stage.backends.ec2.interrupt(instance.instanceId, noticeSeconds)
    stage.faults.note()
  },
  rebalance: (stage, _, key) => {
    const instance = pick(stage, key, spotOf(stage))
    if (instance !== undefined) stage.backends.ec2.rebalance(instance.instanceId)
  },
  storm: (stage, { share }, key) => {
    const { scheduler, ec2 } = stage.backends
    for (const { instanceId } of spotOf(stage)) {
      if (stage.chance.of(`storm ${key} ${instanceId}`) >= share) continue
      const within = { min: 0, max: INTERRUPTION_SPREAD_MS }
      const afterMs = stage.chance.int(`when ${key} ${instanceId}`, within)
      scheduler.at(scheduler.now() + afterMs, () => {
        ec2.interrupt(instanceId)
        stage.faults.note()
      })
    }
  },
  drought,
  price: leap,
  stray: (stage, _, key) => {
    const { ec2 } = stage.backends
    const place = pick(stage, key, ec2.offerings())
    if (place === undefined) return
    const { instanceType, zone, capacityType } = place
    ec2.createFleet({
      ...{ token: `stray ${key}`, capacityType, count: 1 },
      strategy: capacityType === 'spot' ? 'price-capacity-optimized' : 'lowest-price',
      overrides: [{ instanceType, zone, launchTemplateId: 'lt-1', launchTemplateVersion: '1' }],
      tags: { [TAGS.table]: 'sim', [TAGS.pool]: 'general', [TAGS.launch]: `0-${key}/1` },
    })
    stage.faults.note()
  },
  impair: (stage, _, key) => {
    const machine = pick(stage, key, livingMachines(stage))
    if (machine === undefined) return
    stage.backends.ec2.impair(machine.instanceId)
    hang(machine)
    stage.faults.note()
  },
  unlist: (stage, { forMs }, key) => {
    const instanceId = pick(stage, key, livingMachines(stage))?.instanceId
    if (instanceId === undefined) return
    stage.unlisted.add(instanceId)
    mendAfter(stage, forMs, () => {
      stage.unlisted.delete(instanceId)
    })
  },
  'bad-image': (stage, { pool, forMs }) => {
    stage.badImages.add(pool)
    mendAfter(stage, forMs, () => {
      stage.badImages.delete(pool)
    })
  },
  'machine-death': (stage, _, key) => {
    const machine = pick(stage, key, livingMachines(stage))
    if (machine === undefined) return
    stage.backends.ec2.kill(machine.instanceId)
    stage.faults.note()
  },
  reboot: (stage, _, key) => {
    const machine = pick(stage, key, livingMachines(stage))
    if (machine === undefined) return
    stage.backends.ec2.rebootInstances([machine.instanceId])
    stage.faults.note()
  },
  wear: (stage, _, key) => {
    const machine = pick(stage, key, livingMachines(stage))
    if (machine === undefined) return
    machine.fault = 'for ever'
    stage.faults.note()
  },
  hang: (stage, { forMs, everybody = false }, key) => {
    const living = livingMachines(stage)
    const machine = pick(stage, key, living)
    if (machine === undefined) return
    const struck = everybody ? living : [machine]
    struck.forEach(hang)
    mendAfter(stage, forMs, () => {
      struck.forEach(wake)
    })
  },
  'agent-restart': (stage, _, key) => {
    const machine = pick(stage, key, livingMachines(stage))
    if (machine?.run === undefined) return
    stage.backends.calls.crash(machine.run.invocation)
    stage.faults.note()
  },
  nonsense,
  'process-crash': (stage, _, key) => {
    const found = pick(stage, key, processesOf(stage))
    if (found === undefined) return
    processEnds(found.machine, found.process, { signal: 'SIGSEGV' })
    stage.faults.note()
  },
  'process-sick': (stage, { forMs }, key) => {
    const found = pick(stage, key, processesOf(stage))
    if (found === undefined) return
    const { machine, process } = found
    const { scheduler } = stage.backends
    process.sickUntilMs = scheduler.now() + forMs
    const tell = (): void => {
      machine.onHealth.get(process.launch.replicaId)?.()
    }
    tell()
    mendAfter(stage, forMs, () => {
      process.sickUntilMs = 0
      tell()
    })
  },
  finding: (stage, { problem, forMs, isTrue, everybody = false }, key) => {
    const living = livingMachines(stage)
    const machine = pick(stage, key, living)
    if (machine === undefined) return
    if (isTrue) machine.fault = 'for ever'
    const struck = everybody ? living : [machine]
    for (const own of struck) setFinding(own, problem, true)
    mendAfter(stage, forMs, () => {
      for (const own of struck) setFinding(own, problem, false)
    })
  },
  outage: (stage, { forMs }, key) => {
    const { scheduler } = stage.backends
    const isOutAlready = stage.outUntilMs > scheduler.now()
    stage.outUntilMs = Math.max(stage.outUntilMs, scheduler.now() + forMs)
    for (const machine of stage.machines.values()) {
      if (!isOutAlready) writeBeat(machine)
      if (machine.beating !== undefined) machine.beating.nextAtMs = Infinity
    }
    mendAfter(stage, forMs, () => {
      endOutage(stage, key)
    })
  },
}

function endOutage(stage: Stage, key: string): void {
  const nowMs = stage.backends.scheduler.now()
  if (stage.outUntilMs > nowMs && stage.faults.areOn()) return
  stage.outUntilMs = nowMs
  for (const { beating, name } of stage.machines.values()) {
    if (beating?.nextAtMs !== Infinity) continue
    const back = { min: 0, max: LIMITS.agentRetryMaxMs }
    beating.nextAtMs = nowMs + stage.chance.int(`back ${key} ${name}`, back)
  }
}

/** Ends it after `forMs`, or at once when the faults end before. */
function mendAfter(stage: Stage, forMs: number, mend: () => void): void {
  const { scheduler } = stage.backends
  stage.faults.note()
  const once = (): void => {
    cancel()
    if (!stage.mends.delete(once)) return
    stage.faults.note()
    mend()
  }
  stage.mends.add(once)
  const cancel = scheduler.at(scheduler.now() + forMs, once)
}

function pick<T>({ chance }: Stage, key: string, list: readonly T[]): T | undefined {
  return list.length === 0 ? undefined : chance.pick(`whom ${key}`, list)
}

function livingMachines({ machines, backends }: Stage): readonly Machine[] {
  return [...machines.values()].filter((own) => {
    const instance = backends.ec2.instance(own.instanceId)
    return instance?.state === 'running' && instance.up
  })
}

/** What a burn-in has found, or would find. */
function badGpusOf({ machines, backends }: Stage): readonly string[] {
  return [...machines.values()].flatMap((machine) => {
    const instance = backends.ec2.instance(machine.instanceId)
    const [first] = instance === undefined || isGood(machine.fault) ? [] : gpusOf(instance)
    return first === undefined ? [] : [first.uuid]
  })
}

function spotOf({ backends }: Stage): readonly Ec2Instance[] {
  return backends.ec2
    .instances()
    .filter((own) => own.capacityType === 'spot' && own.state === 'running')
}

type Found = { readonly machine: Machine; readonly process: Process }

function processesOf(stage: Stage): readonly Found[] {
  return livingMachines(stage).flatMap((machine) =>
    [...machine.processes.values()].map((process) => ({ machine, process })),
  )
}

function drought(stage: Stage, { of, forMs }: Of<'drought'>, key: string): void {
  const { ec2 } = stage.backends
  const all = ec2.offerings()
  const one = pick(stage, key, all)
  if (one === undefined) return
  const isDry: Readonly<Record<typeof of, (own: Ec2Offering) => boolean>> = {
    all: () => true,
    spot: ({ capacityType }) => capacityType === 'spot',
    zone: ({ zone }) => zone === one.zone,
    type: ({ instanceType }) => instanceType === one.instanceType,
  }
  const dry = all.filter(isDry[of])
  for (const { instanceType, zone, capacityType } of dry) {
    ec2.setOffering({ instanceType, zone, capacityType, capacity: 0 })
  }
  mendAfter(stage, forMs, () => {
    for (const own of dry) {
      const { instanceType, zone, capacityType } = own
      ec2.setOffering({ instanceType, zone, capacityType, capacity: stage.capacityOf(own) })
    }
  })
}

/** A spot price that leaps stands still until it falls back. */
function leap(stage: Stage, { factor, forMs }: Of<'price'>, key: string): void {
  const { ec2 } = stage.backends
  const all = ec2.offerings().filter((own) => own.capacityType === 'spot')
  const one = pick(stage, key, all)
  if (one === undefined) return
  for (const own of all.filter(({ instanceType }) => instanceType === one.instanceType)) {
    const { instanceType, zone, capacityType } = own
    const place = { instanceType, zone, capacityType }
    const usd = ec2.priceUsdPerHour(place)
    if (usd === undefined) continue
    ec2.setOffering({ ...place, priceUsdPerHour: usd * factor })
    mendAfter(stage, forMs, () => {
      ec2.setOffering({ ...place, priceUsdPerHour: usd })
    })
  }
}

/** What an agent gone mad may write into the items that are its own. */
const NONSENSE: readonly ((report: Item, nowMs: number) => Item)[] = [
  ({ pk, sk }) => ({ pk, sk, kind: 'report', arn: 17, replicas: 'many' }),
  ({ pk, sk }) => ({ pk, sk, kind: 'order', target: 'sweep', verb: 'sweep-allow' }),
  (report) => ({ ...report, arn: 'arn:aws:ec2:us-east-1:1:instance/i-00000000' }),
  (report, nowMs) => ({
    ...report,
    interruption: { action: 'terminate', deadlineMs: nowMs - 86_400_000 },
  }),
  (report) => ({ ...report, sequence: 0, atMs: 0, agentVersion: '' }),
  (report) => ({
    ...report,
    replicas: [
      ...(report['replicas'] as unknown[]),
      { id: 'ghost/1-1', version: 'v', phase: 'ready', ready: true, restarts: 3 },
    ],
  }),
]

/** An agent that failed its burn-in and now says otherwise. */
function otherStory(report: Item): Item {
  const burnIn = report['burnIn'] as { checks: readonly object[] }
  const checks = burnIn.checks.map((own) => ({ ...own, verdict: 'PASS' }))
  return { ...report, burnIn: { ...burnIn, checks } }
}

const hasFailed = (report: Item | undefined): boolean =>
  JSON.stringify(report?.['burnIn'] ?? '').includes('"FAIL"')

function nonsense(stage: Stage, { forMs }: Of<'nonsense'>, key: string): void {
  const { backends, chance, peek } = stage
  const reporting = livingMachines(stage).filter(
    (own) => own.run !== undefined && peek(agentKeys.report(own.arn)) !== undefined,
  )
  const failed = reporting.filter((own) => hasFailed(peek(agentKeys.report(own.arn))))
  const isLiar = failed.length > 0 && chance.of(`liar ${key}`) < 0.5
  const machine = pick(stage, key, isLiar ? failed : reporting)
  const honest = machine === undefined ? undefined : peek(agentKeys.report(machine.arn))
  if (machine === undefined || honest === undefined || !Array.isArray(honest['replicas'])) return
  const make = isLiar ? otherStory : chance.pick(`nonsense ${key}`, NONSENSE)
  const written = make(honest, backends.scheduler.now())
  const { instanceId } = machine
  write(stage, written, { role: 'agent', instanceId })
  const { pk, sk } = honest
  const standing = peek({ pk, sk })
  mendAfter(stage, forMs, () => {
    // Unless it has come to its senses by itself.
    if (peek({ pk, sk }) === standing) write(stage, honest, { role: 'agent', instanceId })
  })
}

/** Writes past every port, and tells of it: nobody's function does this. */
function write(
  { backends }: Stage,
  item: Item,
  { role, instanceId }: { role: Role; instanceId?: string },
): void {
  const { store, scheduler, takeChanges, see } = backends
  const atMs = scheduler.now()
  takeChanges()
  void store.write({ kind: 'put', item })
  const by: Caller = {
    ...{ label: `${role}#by-hand`, role, startedAtMs: atMs },
    ...(instanceId === undefined ? {} : { instanceId }),
  }
  const writes = [{ kind: 'put', item } as const]
  see({ kind: 'write', atMs, by, writes, changes: takeChanges() })
}

/** Everything there is to ask for. */
function looksOf({ partition }: Stage): readonly ApiRequest[] {
  const workload = partition('spec#workload')[0]?.sk ?? 'none'
  const node = partition('node')[0]?.sk ?? 'none'
  const get = (path: string): ApiRequest => ({ method: 'GET', path })
  return [
    ...['/healthz', '/v1/cost', '/v1/events', '/v1/replicas', '/v1/nodes'].map(get),
    ...['workloads', 'pools', 'teams'].map((noun) => get(`/v1/${noun}`)),
    ...[`/v1/workloads/${workload}`, `/v1/workloads/${workload}/explain`].map(get),
    ...[`/v1/nodes/${node}`, '/v1/pools/general', '/v1/nowhere'].map(get),
    { method: 'POST', path: '/v1/plan', body: { documents: [] } },
  ]
}
