/**
 * Items as the auditor reads them: by their key, with the few fields that it needs guarded by hand.
 *
 * Items come many times a second, so nothing is parsed on the way; an item that lacks the guarded
 * fields is nonsense, and nonsense is nobody's node. Specs change seldom and are parsed in full,
 * once an item, because what drover cannot read it must leave alone.
 */
import type { Assignment, AssignmentHead } from '#shared/model/assignment.ts'
import type { Brake, Order, Pass } from '#shared/model/facts.ts'
import { launchRequestSchema, type Launch, type LaunchRequest } from '#shared/model/launch.ts'
import type { Node } from '#shared/model/node.ts'
import { reportSchema, type Beat, type Report } from '#shared/model/report.ts'
import {
  specItemSchema,
  type PoolItem,
  type Revision,
  type SpecItem,
  type TeamItem,
  type WorkloadItem,
} from '#shared/model/spec-item.ts'
import type { ScaleTarget } from '#shared/model/scale-target.ts'
import type { WorkloadStatus } from '#shared/model/status.ts'
import type { Verdict } from '#shared/model/verdict.ts'
import { templateOf, templateSchema, versionOf, type Template } from '#shared/model/version.ts'
import type { Item, Key } from '#shared/store/store.ts'

/** `node`, `assign`, `spec`…: the partition key up to its first `#`. */
export function kindOf({ pk }: Key): string {
  const end = pk.indexOf('#')
  return end < 0 ? pk : pk.slice(0, end)
}

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null

/** A reader of one kind: the item as what it is, or undefined where it is nonsense. */
function reader<T>(isOne: (item: Item) => boolean): (item: Item | undefined) => T | undefined {
  return (item) => (item !== undefined && isOne(item) ? (item as unknown as T) : undefined)
}

export const nodeOf = reader<Node>(
  ({ name, pool, phase, claim }) =>
    typeof name === 'string' &&
    typeof pool === 'string' &&
    typeof phase === 'string' &&
    isObject(claim) &&
    isObject(claim['largest']),
)

export const bodyOf = reader<Assignment>(
  ({ arn, node, replicas, templates }) =>
    typeof arn === 'string' &&
    typeof node === 'string' &&
    Array.isArray(replicas) &&
    isObject(templates),
)

export const headOf = reader<AssignmentHead>(
  ({ arn, generation }) => typeof arn === 'string' && typeof generation === 'number',
)

export const launchItemOf = reader<Launch>(
  ({ id, pool, request, claims }) =>
    typeof id === 'string' &&
    typeof pool === 'string' &&
    typeof request === 'string' &&
    Array.isArray(claims),
)

export const beatOf = reader<Beat>(({ atMs }) => typeof atMs === 'number')

export const verdictOf = reader<Verdict>(
  ({ verdict, arn, attempt }) =>
    typeof verdict === 'string' && typeof arn === 'string' && typeof attempt === 'number',
)

export const passOf = reader<Pass>(({ epoch }) => typeof epoch === 'number')

export const brakeOf = reader<Brake>(({ condemned }) => Array.isArray(condemned))

export const orderOf = reader<Order>(
  ({ target, verb }) => typeof target === 'string' && typeof verb === 'string',
)

export const statusOf = reader<WorkloadStatus>(
  ({ noun, waiting, conditions }) =>
    noun === 'workload' && Array.isArray(waiting) && Array.isArray(conditions),
)

export const targetOf = reader<ScaleTarget>(
  ({ uid, name, replicas }) =>
    typeof uid === 'string' && typeof name === 'string' && typeof replicas === 'number',
)

export const revisionOf = reader<Revision>(
  ({ uid, version, number, template }) =>
    typeof uid === 'string' &&
    typeof version === 'string' &&
    typeof number === 'number' &&
    isObject(template) &&
    isObject(template['resources']),
)

/** What the item was found to be, so that each is looked at once. */
function remembering<T>(parse: (item: Item) => T | undefined) {
  const known = new WeakMap<Item, { readonly found: T | undefined }>()
  return (item: Item | undefined): T | undefined => {
    if (item === undefined) return undefined
    const before = known.get(item)
    if (before !== undefined) return before.found
    const found = parse(item)
    known.set(item, { found })
    return found
  }
}

/** A report as drover reads it: nonsense, wholly or in part, is no report. */
export const reportOf = remembering<Report>((item) => reportSchema.safeParse(item).data)

export const specOf = remembering<SpecItem>((item) => specItemSchema.safeParse(item).data)

/** What a revision runs. */
export const templateIn = remembering<Template>(
  (item) => templateSchema.safeParse(item['template']).data,
)

export function workloadOf(item: Item | undefined): WorkloadItem | undefined {
  const spec = specOf(item)
  return spec?.noun === 'workload' ? spec : undefined
}

export function poolOf(item: Item | undefined): PoolItem | undefined {
  const spec = specOf(item)
  return spec?.noun === 'pool' ? spec : undefined
}

export function teamOf(item: Item | undefined): TeamItem | undefined {
  const spec = specOf(item)
  return spec?.noun === 'team' ? spec : undefined
}

const versions = new WeakMap<WorkloadItem, string>()

/** The version that people mean: the spec's, or the one they went back to from it. */
export function versionMeant(workload: WorkloadItem, order: Item | undefined): string {
  const wanted = versionWanted(workload)
  const parsed = orderOf(order)
  if (parsed?.target !== 'workload' || parsed.uid !== workload.uid) return wanted
  return parsed.undo?.from === wanted ? parsed.undo.to : wanted
}

/**
 * The versions of which a workload may be when all is calm: the spec's, and beside it the one
 * before, where the new one's roll-out is over: too many have failed, or it got no further.
 */
export function versionsStanding(
  workload: WorkloadItem,
  status: WorkloadStatus | undefined,
): readonly string[] {
  const wanted = versionWanted(workload)
  const rollout = status?.uid === workload.uid ? status.rollout : undefined
  const isOver = rollout?.active === wanted && rollout.failed !== undefined
  return isOver && rollout.stable !== undefined ? [wanted, rollout.stable] : [wanted]
}

export function versionWanted(workload: WorkloadItem): string {
  const known = versions.get(workload)
  if (known !== undefined) return known
  const version = versionOf(templateOf(workload.spec))
  versions.set(workload, version)
  return version
}

const hashes = new WeakMap<Template, string>()

/** The hash of a template that is frozen, or never changes. */
export function hashOf(template: Template): string {
  const known = hashes.get(template)
  if (known !== undefined) return known
  const version = versionOf(template)
  hashes.set(template, version)
  return version
}

/** The stored text of a launch as the request it holds; undefined where it holds none. */
export function storedRequest(launch: Launch): LaunchRequest | undefined {
  try {
    return launchRequestSchema.safeParse(JSON.parse(launch.request)).data
  } catch {
    return undefined
  }
}
