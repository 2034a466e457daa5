/**
 * Runs one world: a safety phase in which anything may break, and a liveness phase in which nothing
 * does and the herd must become whole within bounded time, and then stay as it is.
 */
import type { DroverEvent } from '#shared/model/event.ts'
import type { Data } from '#shared/model/data.ts'
import { orderSchema } from '#shared/model/facts.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Node } from '#shared/model/node.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { keys } from '#shared/store/keys.ts'
import { launchItemOf, nodeOf, poolOf, workloadOf } from './auditor/items.ts'
import { launchIdOf } from './auditor/launch-log.ts'
import type { RuleName } from './auditor/rules.ts'
import type { CallHooks } from './calls.ts'
import { happen } from './happen.ts'
import { wake } from './machine.ts'
import type { SimOptions } from './options.ts'
import { makeSamePlan } from './same-plan.ts'
import { LIVENESS_MAX_MS, planHerd, TESTS_MAX_MS, type HerdPlan } from './script.ts'
import { isMissing, mended } from './serving.ts'
import { makeTracer } from './trace.ts'
import type { Auditor, Seen, SeenOf, Truth, Violation } from './traffic.ts'
import { makeWorld, settingsOf, START_MS, type World } from './world.ts'

export type RunSetup = {
  readonly options: SimOptions
  /** Instead of what the seed says. */
  readonly plan?: HerdPlan
  readonly only?: ReadonlySet<string>
  readonly hooks?: CallHooks
  readonly makeAuditor: (truth: Truth) => Auditor
  /** Gets each line of the trace. */
  readonly trace?: (line: string) => void
  /** Told now and then how far the world has come, from 0 to 1. */
  readonly progress?: (share: number) => void
}

export type Outcome = {
  readonly options: SimOptions
  readonly violation?: Violation & {
    readonly step: number
    readonly decisions: readonly DroverEvent[]
  }
  /** Virtual time from the end of the faults until the herd was whole. */
  readonly convergedAfterMs?: number
  readonly virtualHours: number
  readonly steps: number
  /** Passes of reconcile that began. */
  readonly passes: number
  readonly launched: number
  /** Machines that there were, and replicas that ran on them, hour by hour. */
  readonly meanNodes: number
  readonly meanReplicas: number
  /** Faults that struck, by name; the script's own steps are not among them. */
  readonly struck: readonly string[]
  /** What functions threw, with how often. */
  readonly thrown: Readonly<Record<string, number>>
}

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
const LOOK_MS = 30_000
/** A herd that is whole must still be so after it, and nothing may have been bought. */
const QUIET_MS = 10 * 60_000
const DECISIONS_SHOWN = 25
/** What is told of a machine that is on its way out, and of one that is not ready. */
const ENDING = /^node \S+ is terminating/
/** What nothing needs any more, since others stood in for it, is seen off in its time. */
const IDLE = /^node \S+ of pool \S+ carries nothing$/
const UNREADY = /^node (\S+) is /

export async function runWorld(setup: RunSetup): Promise<Outcome> {
  const { options } = setup
  const plan = setup.plan ?? planHerd(options)
  const stats = { passes: 0, launched: 0, needed: 0, toSave: new Set<string>() }
  const size = { hours: 0, nodes: 0, replicas: 0 }
  const thrown: Record<string, number> = {}
  let violation: Violation | undefined
  let bug: Error | undefined
  const auditor: { it?: Auditor } = {}
  const samePlan = makeSamePlan(settingsOf(plan))
  const tracer = setup.trace === undefined ? undefined : makeTracer(setup.trace, START_MS)

  const blame = (found: Violation | undefined): void => {
    if (found === undefined || violation !== undefined) return
    violation = found
    world.scheduler.stop()
  }
  const see = (seen: Seen): void => {
    tracer?.see(seen)
    if (seen.kind === 'begun' && seen.by.role === 'reconcile') stats.passes += 1
    if (seen.kind === 'launch') {
      stats.launched += seen.born.length
      const claims = claimsOfRepack(seen, world)
      if (claims.length === 0 && !isRetesting(world)) stats.needed += seen.born.length
      for (const { name } of claims) stats.toSave.add(name)
    }
    try {
      blame(auditor.it?.see(seen))
      if (seen.kind === 'scan') blame(samePlan.see(seen))
    } catch (error) {
      bug = error as Error
      world.scheduler.stop()
    }
  }
  const onThrow = (label: string, text: string): void => {
    tracer?.line(world.scheduler.now(), `${label} threw ${text}`)
    const what = `${label.replace(/#.*/, '')}: ${text.replaceAll(/[0-9]+/g, '#').slice(0, 160)}`
    thrown[what] = (thrown[what] ?? 0) + 1
  }
  const world = makeWorld({
    ...{ options, plan, see, onThrow, blame },
    ...(setup.only === undefined ? {} : { only: setup.only }),
    ...(setup.hooks === undefined ? {} : { hooks: setup.hooks }),
  })
  auditor.it = setup.makeAuditor(world.truth)
  const run = async (untilMs: number): Promise<boolean> => {
    await world.scheduler.run(untilMs)
    if (bug !== undefined) throw bug
    return violation === undefined
  }
  const endMs = START_MS + options.days * DAY_MS
  prepare(world, {
    plan,
    tracer,
    endMs,
    setup,
    hourly: () => {
      blame(auditor.it?.full())
      measure(world, size)
    },
  })
  let convergedAfterMs: number | undefined
  if (await run(endMs)) {
    mend(world)
    convergedAfterMs = await converge({ world, auditor: auditor.it, endMs, run, blame, stats })
  }
  const decisions = auditor.it.decisions()
  return {
    options,
    ...(violation === undefined
      ? {}
      : { violation: { ...violation, step: world.scheduler.steps(), decisions } }),
    ...(convergedAfterMs === undefined ? {} : { convergedAfterMs }),
    virtualHours: (world.scheduler.now() - START_MS) / HOUR_MS,
    steps: world.scheduler.steps(),
    ...{ passes: stats.passes, launched: stats.launched },
    meanNodes: size.nodes / Math.max(1, size.hours),
    meanReplicas: size.replicas / Math.max(1, size.hours),
    ...{ struck: world.faults.struck, thrown },
  }
}

type Size = { hours: number; nodes: number; replicas: number }

function measure({ stage }: World, size: Size): void {
  size.hours += 1
  size.nodes += stage.machines.size
  for (const { processes } of stage.machines.values()) size.replicas += processes.size
}

type Preparation = {
  readonly plan: HerdPlan
  readonly tracer: ReturnType<typeof makeTracer> | undefined
  readonly endMs: number
  readonly setup: RunSetup
  readonly hourly: () => void
}

function prepare(world: World, { plan, tracer, endMs, setup, hourly }: Preparation): void {
  const { scheduler, stage, sources, backends } = world
  for (const [i, step] of plan.script.entries()) {
    const atMs = START_MS + step.atMs
    if (atMs >= endMs) continue
    scheduler.at(atMs, () => {
      tracer?.step(scheduler.now(), step)
      happen(stage, step, String(i))
    })
  }
  const eachHour = (): void => {
    const nowMs = scheduler.now()
    backends.store.expire(nowMs)
    backends.history.expire(nowMs)
    backends.takeChanges()
    hourly()
    setup.progress?.(Math.min(1, (nowMs - START_MS) / (endMs - START_MS)))
    scheduler.at(nowMs + HOUR_MS, eachHour)
  }
  scheduler.at(START_MS + HOUR_MS, eachHour)
  sources.start()
}

/**
 * The faults end: what they began is over, the cloud hands on no bad hardware any more, and a
 * person mends what people broke.
 */
function mend({ faults, stage, backends }: World): void {
  faults.end()
  backends.ec2.setFaults({ secondHand: false })
  for (const over of [...stage.mends]) over()
  for (const machine of stage.machines.values()) wake(machine)
  stage.outUntilMs = 0
  // A word on its way that is heard after these would undo them.
  stage.people.onceAnswered(() => {
    mendSpecs(stage)
    steerOn(stage)
    // What an outage made drover adopt is kept until a person says so.
    stage.people.ask({ method: 'POST', path: '/v1/sweep/allow' })
  })
  faults.note()
}

function mendSpecs({ partition, people }: World['stage']): void {
  for (const item of partition('spec#workload')) {
    const spec = item['spec'] as { env?: Record<string, string>; data?: Data }
    const isBad = spec.env?.['BAD'] !== undefined || (spec.data && isMissing(spec.data))
    if (isBad !== true || item['deletedAtMs'] !== undefined) continue
    const { BAD: _, ...env } = spec.env ?? {}
    const data = spec.data === undefined ? {} : { data: mended(spec.data) }
    const body = { ...spec, env, ...data, kind: 'Workload', name: item.sk }
    people.ask({ method: 'PUT', path: `/v1/workloads/${item.sk}`, body })
  }
}

/** Roll-outs that a person holds go on, and those that were gone back from are wanted again. */
function steerOn({ partition, people }: World['stage']): void {
  for (const item of partition('order')) {
    const order = orderSchema.safeParse(item).data
    if (order?.target !== 'workload') continue
    const spec = workloadOf(partition('spec#workload').find((own) => own.sk === order.name))
    if (spec === undefined || spec.uid !== order.uid) continue
    const path = `/v1/workloads/${order.name}/rollout`
    if (order.paused) people.ask({ method: 'POST', path, body: { action: 'resume' } })
    const version = versionOf(templateOf(spec.spec))
    if (order.undo?.from !== version) continue
    people.ask({ method: 'POST', path, body: { action: 'undo', to: version } })
  }
}

type Convergence = {
  readonly world: World
  readonly auditor: Auditor
  readonly endMs: number
  readonly run: (untilMs: number) => Promise<boolean>
  readonly blame: (found: Violation) => void
  readonly stats: {
    /** Machines bought because somebody needed them. */
    readonly needed: number
    /** Names of those that a repack bought to save money. */
    readonly toSave: ReadonlySet<string>
  }
}

async function converge(facts: Convergence): Promise<number | undefined> {
  const { world, auditor, endMs, run, blame, stats } = facts
  const { scheduler } = world
  let unsettled: readonly string[] = []
  let wholeAtMs = endMs + LOOK_MS
  let testsMs = 0
  const lastMs = (): number => endMs + LIVENESS_MAX_MS + Math.min(testsMs, TESTS_MAX_MS)
  for (let atMs = endMs + LOOK_MS; atMs <= lastMs(); atMs += LOOK_MS) {
    if (!(await run(atMs))) return undefined
    unsettled = auditor.unsettled()
    if (isRetesting(world)) testsMs += LOOK_MS
    if (world.stage.people.isAsking())
      unsettled = [...unsettled, 'a person still asks for something']
    if (unsettled.length > 0) wholeAtMs = atMs + LOOK_MS
    else if (atMs >= endMs + TOLD_MS) break
  }
  const fault = (rule: RuleName, texts: readonly string[]): void => {
    blame({ rule, text: texts.slice(0, 6).join('\n  '), atMs: scheduler.now() })
  }
  if (unsettled.length > 0) {
    fault('10 convergence', ['the herd does not become whole:', ...unsettled])
    return undefined
  }
  const convergedAfterMs = wholeAtMs - endMs
  const before = stats.needed
  const mayBuy = somebodyWaits(world) || isHeldBack(world)
  if (!(await run(scheduler.now() + QUIET_MS))) return undefined
  let still = auditor.unsettled()
  // Room may have come free for somebody who had been told that there is none, a machine's
  // quarantine may just have ended, one may be tested again, and a repack may be under way, or have
  // been given up while its machine was on the way: one looks again.
  const isOfRepack = (text: string): boolean => stats.toSave.has(UNREADY.exec(text)?.[1] ?? '')
  const mayPass = (): boolean =>
    mayBuy ||
    isRepacking(world) ||
    isRetesting(world) ||
    still.every((text) => ENDING.test(text) || IDLE.test(text) || isOfRepack(text))
  const lastAgainMs = scheduler.now() + LIVENESS_MAX_MS
  for (let atMs = scheduler.now(); still.length > 0 && mayPass(); still = auditor.unsettled()) {
    atMs += LOOK_MS
    if (atMs > lastAgainMs || !(await run(atMs))) break
  }
  if (still.length > 0) fault('10 convergence', ['the herd was whole and is no more:', ...still])
  else if (!mayBuy && stats.needed > before) {
    fault('10 convergence', ['the herd was whole, and machines are still bought'])
  }
  return convergedAfterMs
}

/** What machines had before the faults ended their agents may tell so much later. */
const TOLD_MS = (LIMITS.healthLooksToTell + 1) * LIMITS.healthLookMs

/** The nodes of a launch that was made for a repack. */
function claimsOfRepack({ request }: SeenOf<'launch'>, { truth }: World): readonly Node[] {
  const launch = launchItemOf(truth.get(keys.launch(launchIdOf(request.tags))))
  const claims = (launch?.claims ?? []).flatMap((own) => nodeOf(truth.get(keys.node(own))) ?? [])
  return claims.filter((own) => own.repack !== undefined)
}

function isRepacking({ truth }: World): boolean {
  return truth.partition(keys.node('').pk).some((own) => nodeOf(own)?.repack !== undefined)
}

/** Why a machine is emptied that stays: its age, what its agent found, or a person's word. */
const FOR_A_TEST: ReadonlySet<string> = new Set(['CertificateAge', 'Retest'])

/** A machine in service is tested again, or emptied for it, and others stand in for it. */
function isRetesting({ truth }: World): boolean {
  return truth.partition(keys.node('').pk).some((own) => {
    const node = nodeOf(own)
    const isAgain = node?.phase === 'testing' && node.burnIn?.served === true
    return isAgain || FOR_A_TEST.has(node?.drain?.reason ?? '')
  })
}

/** A machine in quarantine takes part of what a pool may have, and headroom may wait for that. */
function isHeldBack({ truth }: World): boolean {
  return truth.partition(keys.node('').pk).some((own) => {
    const node = nodeOf(own)
    if (node?.phase !== 'quarantined') return false
    const { headroom, limits } = poolOf(truth.get(keys.spec('pool', node.pool)))?.spec ?? {}
    return headroom !== undefined && limits !== undefined
  })
}

/** A workload that could run is told that there is no machine for all of it. */
function somebodyWaits({ stage, truth }: World): boolean {
  const impossible = truth.impossibleWorkloads()
  return stage.partition('spec#workload').some(({ sk: name }) => {
    const waiting = stage.peek(keys.status('workload', name))?.['waiting']
    return !impossible.has(name) && Array.isArray(waiting) && waiting.length > 0
  })
}

/** What went wrong, for a person: the seed, the rule, and what drover did last and why. */
export function describeViolation({ options, violation }: Outcome): string {
  if (violation === undefined) return ''
  const { rule, text, atMs, step, decisions } = violation
  const sinceMs = atMs - START_MS
  const lines = decisions
    .slice(-DECISIONS_SHOWN)
    .map((own) => `    +${clockOf(own.atMs - START_MS)} ${own.object} ${own.reason}: ${own.text}`)
  return [
    `seed ${String(options.seed)} broke rule "${rule}" ` +
      `at +${clockOf(sinceMs)}, step ${String(step)}`,
    `  ${text}`,
    '  what drover did last:',
    ...lines,
  ].join('\n')
}

/** `1d 02:03:04.567` */
export function clockOf(ms: number): string {
  const part = (value: number, digits = 2): string =>
    String(Math.floor(value)).padStart(digits, '0')
  const days = Math.floor(ms / DAY_MS)
  const time = `${part((ms / HOUR_MS) % 24)}:${part((ms / 60_000) % 60)}:${part((ms / 1_000) % 60)}`
  return `${days > 0 ? `${String(days)}d ` : ''}${time}.${part(ms % 1_000, 3)}`
}
