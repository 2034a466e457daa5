/**
 * Writes specs: one conditional write a change, tried again when another writer was faster.
 *
 * A change is a function of what stands in the table, so a lost race means to read again and ask
 * it again. The condition is uid and generation; DELETE moves the generation too, so that a change
 * which has not seen the deletion cannot bring a spec back to life.
 */
import { sameJson } from '#shared/base/equal.ts'
import { assert } from '#shared/base/assert.ts'
import { orderSchema } from '#shared/model/facts.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { nameSchema, type Noun } from '#shared/model/names.ts'
import {
  revisionSchema,
  specItemSchema,
  type Revision,
  type SpecItem,
  type WorkloadItem,
} from '#shared/model/spec-item.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import type { Document } from '#shared/protocol/documents.ts'
import { keys } from '#shared/store/keys.ts'
import {
  absent,
  equal,
  present,
  type Condition,
  type Item,
  type Write,
} from '#shared/store/store.ts'
import { parseItem, readPartition, readWorkloadStatuses, type Reader } from './herd.ts'
import { isDeleted } from './objects.ts'
import type { AdminApiPorts } from './ports.ts'
import { problem } from './problem.ts'
import type { Match } from './request.ts'

export type SpecName = { readonly noun: Noun; readonly name: string }

/** False for a text that cannot be anybody's name: it need not be looked up. */
export const isName = (text: string): boolean => nameSchema.safeParse(text).success

export const nameOf = ({ noun, name }: SpecName): string =>
  `${noun} ${JSON.stringify(name.slice(0, LIMITS.nameMaxChars).toWellFormed())}`

/**
 * What to do about the spec that stands there: store a document, delete it, or answer with a
 * problem.
 */
export type Change =
  | { kind: 'store'; document: Document }
  | { kind: 'delete' }
  | { kind: 'refuse'; response: Response }

export type Changed =
  | { outcome: 'created' | 'updated' | 'unchanged' | 'deleted'; item: SpecItem }
  | { outcome: 'refused'; response: Response }

/** The spec as stored, deleted or not. */
export async function readSpec(
  ports: Pick<AdminApiPorts, 'store' | 'log'>,
  { noun, name }: SpecName,
): Promise<SpecItem | undefined> {
  return parseItem(ports, specItemSchema, await ports.store.get(keys.spec(noun, name)))
}

export type ChangePorts = Pick<AdminApiPorts, 'store' | 'clock' | 'ids' | 'log'>

/** Applies `change` to the spec that stands there, or says why not. Throws StoreError. */
export async function changeSpec(
  ports: ChangePorts,
  target: SpecName & { match?: Match | undefined },
  change: (standing: SpecItem | undefined) => Change,
): Promise<Changed> {
  for (let attempt = 0; attempt < LIMITS.specWriteAttempts; attempt += 1) {
    const stored = await ports.store.get(keys.spec(target.noun, target.name))
    const standing = parseItem(ports, specItemSchema, stored)
    const live = standing === undefined || isDeleted(standing) ? undefined : standing
    if (!matches(target.match, live)) return { outcome: 'refused', response: unmatched(live) }
    const wanted = change(live)
    if (wanted.kind === 'refuse') return { outcome: 'refused', response: wanted.response }
    const next = nextItem(ports, { standing, live, wanted })
    if (next === live) return { outcome: 'unchanged', item: next }
    if (await write(ports, { stored, standing, next }))
      return { outcome: outcomeOf(live, next), item: next }
  }
  return { outcome: 'refused', response: raceLost(target) }
}

function outcomeOf(live: SpecItem | undefined, next: SpecItem): 'created' | 'updated' | 'deleted' {
  if (isDeleted(next)) return 'deleted'
  return live === undefined ? 'created' : 'updated'
}

function matches(match: Match | undefined, live: SpecItem | undefined): boolean {
  if (match === undefined) return true
  if (live === undefined) return false
  return match === 'any' || match.includes(live.generation)
}

function unmatched(live: SpecItem | undefined): Response {
  const seen = live === undefined ? 'there is no such object' : `it is ${String(live.generation)}`
  return problem({
    status: 412,
    code: 'GenerationMismatch',
    detail: `the generation is not the one in If-Match: ${seen}; read the object and try again`,
  })
}

function raceLost({ noun, name }: SpecName): Response {
  return problem({
    status: 409,
    code: 'RaceLost',
    detail: `${noun} ${name} was changed by others again and again; try again`,
  })
}

type Step = {
  standing: SpecItem | undefined
  live: SpecItem | undefined
  wanted: Exclude<Change, { kind: 'refuse' }>
}

/** The item that should stand; the live one itself when nothing changes. */
function nextItem(
  { clock, ids }: Pick<AdminApiPorts, 'clock' | 'ids'>,
  { live, wanted }: Step,
): SpecItem {
  const now = clock.now()
  if (wanted.kind === 'delete') {
    assert(live !== undefined, 'only what is there is deleted')
    return { ...live, generation: live.generation + 1, updatedAtMs: now, deletedAtMs: now }
  }
  const { noun, name, spec } = wanted.document
  if (live === undefined) {
    const born = { uid: ids.uid(), generation: 1, createdAtMs: now, updatedAtMs: now }
    return { kind: 'spec', noun, name, ...born, spec } as SpecItem
  }
  if (sameJson(live.spec, spec)) return live
  return { ...live, generation: live.generation + 1, updatedAtMs: now, spec } as SpecItem
}

async function write(
  ports: ChangePorts,
  {
    stored,
    standing,
    next,
  }: { stored: Item | undefined; standing: SpecItem | undefined; next: SpecItem },
): Promise<boolean> {
  const revisions = await revisionWrites(ports, standing, next)
  const writes: Write[] = [
    { kind: 'put', item: storedItem(next), when: conditionsOf(stored) },
    ...revisions,
  ]
  const result = await ports.store.transact(writes, ports.ids.uid())
  return result.applied
}

/**
 * Of the item as it is stored, readable or not: what no release can read must still be
 * replaceable.
 */
function conditionsOf(stored: Item | undefined): Condition[] {
  if (stored === undefined) return [absent]
  const { uid, generation } = stored
  if (typeof uid !== 'string' || typeof generation !== 'number') return [present]
  return [equal('uid', uid), equal('generation', generation)]
}

const DAY_MS = 86_400_000

function storedItem(item: SpecItem): Item {
  const key = keys.spec(item.noun, item.name)
  if (item.deletedAtMs === undefined) return { ...key, ...item }
  return { ...key, ...item, ttl: ttlOf(item.deletedAtMs) }
}

const ttlOf = (deletedAtMs: number): number =>
  Math.ceil((deletedAtMs + LIMITS.deletedSpecDays * DAY_MS) / 1000)

/**
 * A workload of a new version brings its template along; of the others the oldest beyond ten go,
 * but for those that a roll-out names. A deleted one's expire with it. Reading them first races
 * with nobody: the spec's own condition guards the transaction, and a roll-out that is newer than
 * what was read names a version that was among the newest.
 */
async function revisionWrites(
  ports: ChangePorts,
  standing: SpecItem | undefined,
  next: SpecItem,
): Promise<Write[]> {
  if (next.noun !== 'workload') return []
  const kept = standing?.uid === next.uid ? await readRevisions(ports, next.uid) : []
  if (next.deletedAtMs !== undefined) {
    const ttl = ttlOf(next.deletedAtMs)
    return kept.map((own) => ({ kind: 'put', item: { ...revisionItem(own), ttl } }))
  }
  const own = revisionAfter(kept, next)
  if (own === undefined) return []
  const others = kept.filter((revision) => revision.version !== own.version)
  const named = await namedByRollout(ports, next)
  const excess = others
    .slice(0, Math.max(0, others.length - LIMITS.revisionsKept + 1))
    .filter(({ version }) => !named.has(version))
  return [
    { kind: 'put', item: revisionItem(own) },
    ...excess.map((old): Write => ({ kind: 'delete', key: keys.revision(own.uid, old.version) })),
  ]
}

/** The revision that the spec makes the newest; undefined where it is that already. */
function revisionAfter(kept: readonly Revision[], next: WorkloadItem): Revision | undefined {
  const template = templateOf(next.spec)
  const version = versionOf(template)
  const newest = kept.at(-1)
  if (newest?.version === version) return undefined
  const { name: workload, uid, updatedAtMs: createdAtMs } = next
  const fresh = { kind: 'revision', workload, uid, version, template, createdAtMs } as const
  const known = kept.find((own) => own.version === version) ?? fresh
  return { ...known, number: (newest?.number ?? 0) + 1 }
}

async function namedByRollout(
  ports: Reader,
  workload: WorkloadItem,
): Promise<ReadonlySet<string | undefined>> {
  const rollout = (await readWorkloadStatuses(ports, [workload])).get(workload.name)?.rollout
  const stored = await ports.store.get(keys.order('workload', workload.name))
  const order = parseItem(ports, orderSchema, stored)
  const undone = order?.target === 'workload' ? order.undo?.to : undefined
  return new Set([rollout?.active, rollout?.stable, undone])
}

/** In order of number. */
export async function readRevisions(ports: Reader, uid: string): Promise<Revision[]> {
  const items = await readPartition(ports.store, keys.revision(uid, '').pk)
  const revisions = items.flatMap((item) => parseItem(ports, revisionSchema, item) ?? [])
  return revisions.sort((a, b) => a.number - b.number)
}

const revisionItem = (revision: Revision): Item => ({
  ...keys.revision(revision.uid, revision.version),
  ...revision,
})
