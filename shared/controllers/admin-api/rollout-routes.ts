/**
 * The verbs of a roll-out: hold it, let it go on, go back to an earlier version.
 *
 * They are orders beside the spec, which stays as it is. An undo names the version that it goes
 * back from, so that another template lifts it, and an equal one does not.
 */
import type { Context, Hono } from 'hono'
import { orderSchema, type RolloutOrder } from '#shared/model/facts.ts'
import type { Revision, WorkloadItem } from '#shared/model/spec-item.ts'
import type { RolloutStatus } from '#shared/model/status.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { rolloutRequestSchema } from '#shared/protocol/api.ts'
import { keys } from '#shared/store/keys.ts'
import { absent, equal } from '#shared/store/store.ts'
import { isName, nameOf, readRevisions, readSpec } from './change-spec.ts'
import { parseItem, readWorkloadStatuses } from './herd.ts'
import { isDeleted, objectOf } from './objects.ts'
import type { AdminApiPorts } from './ports.ts'
import { invalid, notFound, problem } from './problem.ts'
import { record } from './record.ts'
import { readRequest } from './request.ts'
import { part, route } from './routing.ts'
import { writerOf } from './spec-routes.ts'
import { refuseWriter } from './writers.ts'

export function addRolloutRoutes(app: Hono, ports: AdminApiPorts): void {
  route(app, '/v1/workloads/:name/rollout', { POST: (context) => rollout(ports, context) })
}

async function rollout(ports: AdminApiPorts, context: Context): Promise<Response> {
  const target = { noun: 'workload', name: part(context, 'name') } as const
  const wanted = await readRequest(context.req.raw, rolloutRequestSchema)
  if (!wanted.ok) return wanted.response
  const item = isName(target.name) ? await readSpec(ports, target) : undefined
  if (item?.noun !== 'workload' || isDeleted(item)) return notFound(nameOf(target))
  const writer = await writerOf(ports, context)
  const refused = refuseWriter({ ...writer, live: item, next: undefined })
  if (refused !== undefined) return refused

  const facts = await readFacts(ports, item)
  const change = verbs[wanted.value.action](facts, wanted.value.to)
  if ('refuse' in change) return change.refuse
  const atMs = ports.clock.now()
  const { name, uid } = item
  const order: RolloutOrder = {
    ...{ kind: 'order', target: 'workload', name, uid, verb: 'rollout' },
    ...{ ...change.order, atMs },
  }
  const { seenAtMs } = facts
  // Who pauses must not lose what somebody else undoes at the same time.
  const when = [seenAtMs === undefined ? absent : equal('atMs', seenAtMs)]
  const key = keys.order('workload', name)
  const written = await ports.store.write({ kind: 'put', item: { ...key, ...order }, when })
  if (!written.applied) {
    const detail = `the roll-out of workload ${name} was steered by somebody else; try again`
    return problem({ status: 409, code: 'RaceLost', detail })
  }
  await record(ports, { object: `workload/${name}`, ...change.event })
  return Response.json(await objectOf(ports, item))
}

type Facts = {
  readonly item: WorkloadItem
  /** The version of the spec. */
  readonly version: string
  readonly standing: Wish
  /** Of the order that stands there, whosever it is. */
  readonly seenAtMs: number | undefined
  readonly status: RolloutStatus | undefined
  /** In the order of their numbers. */
  readonly revisions: readonly Revision[]
}

type Wish = Pick<RolloutOrder, 'paused' | 'undo'>
type Outcome =
  | { readonly order: Wish; readonly event: { readonly reason: string; readonly text: string } }
  | { readonly refuse: Response }
type Verb = (facts: Facts, to: string | undefined) => Outcome

async function readFacts(ports: AdminApiPorts, item: WorkloadItem): Promise<Facts> {
  const stored = await ports.store.get(keys.order('workload', item.name))
  const order = parseItem(ports, orderSchema, stored)
  const isItsOwn = order?.target === 'workload' && order.uid === item.uid
  const { paused = false, undo } = isItsOwn ? order : {}
  const statuses = await readWorkloadStatuses(ports, [item])
  return {
    item,
    version: versionOf(templateOf(item.spec)),
    standing: { paused, ...(undo === undefined ? {} : { undo }) },
    seenAtMs: typeof stored?.['atMs'] === 'number' ? stored['atMs'] : undefined,
    status: statuses.get(item.name)?.rollout,
    revisions: await readRevisions(ports, item.uid),
  }
}

const pause: Verb = ({ standing }) => ({
  order: { ...standing, paused: true },
  event: { reason: 'RolloutPaused', text: 'a person holds the roll-out' },
})

const resume: Verb = ({ item, standing, status }) => {
  if (!standing.paused && status?.failed !== undefined) {
    const detail =
      `workload ${item.name}: the roll-out of version ${status.active} has failed and is not ` +
      'paused; apply another template, or undo it'
    return { refuse: problem({ status: 409, code: 'RolloutHalted', detail }) }
  }
  const event = { reason: 'RolloutResumed', text: 'the roll-out goes on' }
  return { order: { ...standing, paused: false }, event }
}

const undo: Verb = (facts, to) => {
  const { version, revisions } = facts
  const goal = to === undefined ? versionBefore(facts) : named(revisions, to)
  if (goal === undefined) {
    const known = revisions.map((own) => `${String(own.number)} (${own.version})`).join(', ')
    const message =
      to === undefined
        ? 'is needed: no earlier version is kept'
        : `must be one of the kept revisions: ${known}; it was ${JSON.stringify(to.slice(0, 40))}`
    return { refuse: invalid([{ path: 'to', message }], 'UnknownRevision') }
  }
  if (goal === version) {
    const text = `version ${version} is rolled out again`
    return { order: { paused: false }, event: { reason: 'RolloutUndoLifted', text } }
  }
  const text = `back to version ${goal} from ${version}`
  const order = { paused: false, undo: { from: version, to: goal } }
  return { order, event: { reason: 'RolloutUndone', text } }
}

/** The proven version, where another one is on its way; else the newest of the others. */
function versionBefore({ version, status, revisions }: Facts): string | undefined {
  const stable = revisions.find((own) => own.version === status?.stable)
  if (stable !== undefined && stable.version !== version) return stable.version
  return revisions.findLast((own) => own.version !== version)?.version
}

const named = (revisions: readonly Revision[], to: string): string | undefined =>
  revisions.find((own) => own.version === to || String(own.number) === to)?.version

const verbs: Readonly<Record<'pause' | 'resume' | 'undo', Verb>> = { pause, resume, undo }
