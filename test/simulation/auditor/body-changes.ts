/**
 * What a write did to one assignment: who came, who went, who was told to stop.
 *
 * Several rules ask, so the answer is found once and kept with the change.
 */
import { sameJson } from '#shared/base/equal.ts'
import type { Assignment, BoundReplica } from '#shared/model/assignment.ts'
import type { Change } from '#shared/store/store.ts'
import { bodyOf } from './items.ts'

export type BodyChange = {
  readonly before?: Assignment
  readonly after?: Assignment
  readonly added: readonly BoundReplica[]
  readonly removed: readonly BoundReplica[]
  /** Told to run before, told to stop now; as they stand now. */
  readonly stopped: readonly BoundReplica[]
  /** Told to stop before, told to run now. */
  readonly revived: readonly BoundReplica[]
  /** Bound before and after, and another thing since: version, devices or workload. */
  readonly altered: readonly BoundReplica[]
}

const known = new WeakMap<Change, BodyChange>()
const NOBODY: readonly BoundReplica[] = []

export function isBody({ key }: Change): boolean {
  return key.sk === 'body' && key.pk.startsWith('assign#')
}

/** The change of an assignment's body (`isBody`), compared. */
export function bodyChange(change: Change): BodyChange {
  const old = known.get(change)
  if (old !== undefined) return old
  const found = compare(bodyOf(change.before), bodyOf(change.after))
  known.set(change, found)
  return found
}

function compare(before: Assignment | undefined, after: Assignment | undefined): BodyChange {
  const [was, is] = [before?.replicas ?? NOBODY, after?.replicas ?? NOBODY]
  const sides = { ...(before && { before }), ...(after && { after }) }
  if (was === is) {
    const none = NOBODY
    return { ...sides, added: none, removed: none, stopped: none, revived: none, altered: none }
  }
  const old = new Map(was.map((own) => [own.id, own]))
  const now = new Set(is.map((own) => own.id))
  const kept = is.flatMap((own) => {
    const past = old.get(own.id)
    return past === undefined || past === own ? [] : [{ past, own }]
  })
  return {
    ...sides,
    added: is.filter((own) => !old.has(own.id)),
    removed: was.filter((own) => !now.has(own.id)),
    stopped: kept
      .filter(({ past, own }) => past.order === 'run' && own.order === 'stop')
      .map(({ own }) => own),
    revived: kept
      .filter(({ past, own }) => past.order === 'stop' && own.order === 'run')
      .map(({ own }) => own),
    altered: kept.filter(({ past, own }) => !isSameThing(past, own)).map(({ own }) => own),
  }
}

function isSameThing(a: BoundReplica, b: BoundReplica): boolean {
  if (a.uid !== b.uid || a.version !== b.version || a.workload !== b.workload) return false
  return a.gpus === b.gpus || sameJson(a.gpus, b.gpus)
}
