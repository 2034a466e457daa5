/**
 * Looks at what scaled workloads' metrics say, and writes how many replicas each is to have.
 *
 * It writes targets and nothing else: reconcile alone starts and stops. Each metric is read once a
 * look, for however many workloads; what cannot be read is told in the target of whoever asked, and
 * keeps nobody else waiting. Where nothing is scaled a look costs two small queries.
 */
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { groupBy } from '../base/order.ts'
import type { Clock } from '../cloud/clock.ts'
import { unread, type MetricAnswer, type MetricSource } from '../cloud/metric-source.ts'
import { LIMITS } from '../model/limits.ts'
import { sourceOf, type Metric, type MetricOf, type OutsideMetric } from '../model/metric.ts'
import type { ScaleTarget } from '../model/scale-target.ts'
import type { SpecItem } from '../model/spec-item.ts'
import { draftOf } from '../planner/fold.ts'
import { NO_REPLICAS, replicasByUid } from '../planner/replicas.ts'
import { decideTarget, type Look } from '../planner/scaling/decide.ts'
import { countOfWorkload } from '../planner/scaling/scaled.ts'
import { readingsOf, type UsageFacts } from '../planner/scaling/usage.ts'
import type { Reading } from '../planner/scaling/wants.ts'
import { keys } from '../store/keys.ts'
import { parseItems, type Parsed } from '../store/parse-items.ts'
import { absent, equal, type Item, type Store } from '../store/store.ts'

export type AutoscalePorts = {
  readonly store: Pick<Store, 'query' | 'scan' | 'write'>
  readonly metrics: MetricSource
  readonly clock: Pick<Clock, 'now'>
  readonly log: Logger
}

export type AutoscaleOutcome = {
  /** Workloads that are scaled. */
  readonly scaled: number
  /** Targets that were written, of which so many say another number. */
  readonly written: number
  readonly changed: number
  readonly removed: number
}

const NOTHING: AutoscaleOutcome = { scaled: 0, written: 0, changed: 0, removed: 0 }

/** One look; throws StoreError once all that can be written is. */
export async function autoscale(ports: AutoscalePorts): Promise<AutoscaleOutcome> {
  if (!(await isAnyScaled(ports.store))) return NOTHING
  const { parsed } = parseItems(await ports.store.scan())
  const workloads = parsed.spec.filter(isScaled)
  const outside = await readOutside(ports, workloads.flatMap(outsideOf))
  const nowMs = ports.clock.now()
  const find = factsOf(parsed, nowMs)
  const decided = workloads.map((workload) => {
    const { target, status, usage, pushed } = find(workload.uid)
    const totalOf = (metric: Metric): Reading => {
      const answer =
        metric.type === 'pushed'
          ? pushedAnswer(metric, pushed, nowMs)
          : (outside.get(sourceOf(metric)) ?? unread('NotRead', 'it was not read'))
      return answer.ok ? { kind: 'total', value: answer.value } : { ...answer, kind: 'unread' }
    }
    const readings = readingsOf(workload.spec.scale.metrics, { totalOf, usage })
    const before = countOfWorkload(workload, { target, status })
    const next = decideTarget({ workload, target, status, readings, nowMs })
    return { before, target, next }
  })
  const live = new Set(workloads.map((own) => own.uid))
  const over = parsed.target.filter((own) => !live.has(own.uid))
  return apply(ports, decided, over)
}

async function isAnyScaled(store: AutoscalePorts['store']): Promise<boolean> {
  const { items } = await store.query(keys.target('').pk, { limit: 1 })
  if (items.length > 0) return true
  let after: string | undefined
  do {
    const page = await store.query(keys.spec('workload', '').pk, {
      limit: LIMITS.pageMaxItems,
      ...(after === undefined ? {} : { after }),
    })
    if (page.items.some(hasScale)) return true
    after = page.next
  } while (after !== undefined)
  return false
}

const hasScale = ({ spec, deletedAtMs }: Item): boolean =>
  deletedAtMs === undefined && typeof spec === 'object' && spec !== null && 'scale' in spec

function isScaled(item: SpecItem): item is Look['workload'] {
  return item.noun === 'workload' && item.deletedAtMs === undefined && item.spec.scale !== undefined
}

const outsideOf = ({ spec }: Look['workload']): readonly OutsideMetric[] =>
  spec.scale.metrics.flatMap((own) =>
    own.type === 'sqs' || own.type === 'cloudwatch' || own.type === 'http' ? [own] : [],
  )

/** Each source once, so many at a time, for as long as a look may take. */
async function readOutside(
  { metrics, clock }: AutoscalePorts,
  wanted: readonly OutsideMetric[],
): Promise<ReadonlyMap<string, MetricAnswer>> {
  const waiting = [...new Map(wanted.map((own) => [sourceOf(own), own]))]
  const answers = new Map<string, MetricAnswer>()
  const untilMs = clock.now() + LIMITS.metricsReadMs
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [source, metric] = next
      const isLate = clock.now() > untilMs
      const late = unread('NotRead', 'others took all the time of this look')
      answers.set(source, isLate ? late : await metrics.read(metric))
    }
  }
  await Promise.all(Array.from({ length: LIMITS.metricReadsInFlight }, work))
  return answers
}

type Found = Pick<Look, 'target' | 'status'> & {
  readonly usage: UsageFacts
  readonly pushed: readonly Parsed['pushed'][number][]
}

/** What the table says of a workload, by its uid. */
function factsOf(parsed: Parsed, nowMs: number): (uid: string) => Found {
  const targets = new Map(parsed.target.map((own) => [own.uid, own]))
  const statuses = new Map(
    parsed.status.flatMap((own) => (own.noun === 'workload' ? [[own.uid, own] as const] : [])),
  )
  const pushed = groupBy(parsed.pushed, (own) => own.uid)
  const draft = draftOf({ nodes: parsed.node, assignments: parsed.assignment })
  const replicas = replicasByUid(draft)
  const beats = new Map(parsed.beat.map((own) => [own.arn, own]))
  return (uid) => ({
    target: targets.get(uid),
    status: statuses.get(uid),
    pushed: pushed.get(uid) ?? [],
    usage: { replicas: replicas.get(uid) ?? NO_REPLICAS, draft, beats, nowMs },
  })
}

/** What is old is no zero: whoever pushes may have died. */
function pushedAnswer(
  { name, maxAgeSeconds }: MetricOf<'pushed'>,
  pushed: Found['pushed'],
  nowMs: number,
): MetricAnswer {
  const last = pushed.find((own) => own.metric === name)
  if (last === undefined) return unread('NotPushed', 'nothing has been pushed so far')
  if (nowMs - last.atMs <= maxAgeSeconds * 1000) return { ok: true, value: last.value }
  return unread('Stale', `the last value is of ${new Date(last.atMs).toISOString()}`)
}

type Decided = {
  readonly before: number
  readonly target: ScaleTarget | undefined
  readonly next: ScaleTarget
}

async function apply(
  ports: AutoscalePorts,
  decided: readonly Decided[],
  over: readonly ScaleTarget[],
): Promise<AutoscaleOutcome> {
  const { store, log } = ports
  const outcome = { ...NOTHING, scaled: decided.length }
  const failures: unknown[] = []
  const attempt = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      failures.push(error)
      log.error('a target was not written', { name, error: describeError(error) })
    }
  }
  for (const { before, target, next } of decided) {
    if (next === target) continue
    await attempt(next.name, async () => {
      // Another look that began earlier and ends later must not undo this one.
      const when = target === undefined ? [absent] : [equal('atMs', target.atMs)]
      const { applied } = await store.write({ kind: 'put', item: itemOf(next), when })
      if (!applied) return
      outcome.written += 1
      if (next.replicas === before) return
      outcome.changed += 1
      const { name, replicas } = next
      log.info('scaled', { name, before, replicas, why: next.lastScaled?.why })
    })
  }
  for (const { name, uid } of over) {
    await attempt(name, async () => {
      await store.write({ kind: 'delete', key: keys.target(uid) })
      outcome.removed += 1
    })
  }
  if (failures.length > 0) throw failures[0]
  return outcome
}

const itemOf = (target: ScaleTarget): Item => ({ ...keys.target(target.uid), ...target })
