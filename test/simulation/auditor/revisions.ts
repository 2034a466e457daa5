/**
 * Revisions: what a workload is, and what it could go back to, is there as it was first written.
 *
 * A spec never stands without its revision, which is the newest. All of a revision but its number
 * stays; ten are kept, and those that a roll-out names, and no more than that.
 */
import { sameJson } from '#shared/base/equal.ts'
import type { Revision, WorkloadItem } from '#shared/model/spec-item.ts'
import type { Template } from '#shared/model/version.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change, Item, Key } from '#shared/store/store.ts'
import type { Caller } from '../traffic.ts'
import { hashOf, kindOf, revisionOf, statusOf, versionWanted, workloadOf } from './items.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = 'revisions'
const KEPT = 10
/** A roll-out names the version on its way, the proven one, and one that was gone back to. */
const NAMED_MAX = 3

export function makeRevisions({ truth, books }: Knowledge): Rule {
  const named = makeNamed()
  for (const item of truth.items()) named.take(item, item, truth.nowMs())
  const keptOf = (uid: string): readonly Revision[] =>
    truth.partition(keys.revision(uid, '').pk).flatMap((item) => revisionOf(item) ?? [])
  const ownerOf = (revision: Revision): WorkloadItem | undefined => {
    const own = books.workloads.get(revision.workload)
    return own?.uid === revision.uid && own.deletedAtMs === undefined ? own : undefined
  }
  const judgeStanding = (workload: WorkloadItem): Breach | undefined =>
    workload.deletedAtMs === undefined ? standing(workload, keptOf(workload.uid)) : undefined
  const judgeRemoved = (was: Revision, { expired }: Change, by: Caller): Breach | undefined => {
    if (ownerOf(was) === undefined) return undefined
    const what = `${was.workload} lost its revision ${was.version}`
    const sinceMs = named.sinceMs(was)
    if (expired) return { rule: RULE, text: `${what} to time, and it stands` }
    // What a roll-out names since the writer began cannot have been overlooked by it.
    if (sinceMs !== undefined && sinceMs <= by.startedAtMs) {
      return { rule: RULE, text: `${what}, which its roll-out names` }
    }
    const left = keptOf(was.uid).length
    if (left >= KEPT) return undefined
    return { rule: RULE, text: `${what}, and only ${String(left)} are left` }
  }
  const judge = (change: Change, by: Caller): Breach | undefined => {
    if (kindOf(change.key) === 'spec') {
      const workload = workloadOf(change.after)
      return workload === undefined ? undefined : judgeStanding(workload)
    }
    if (kindOf(change.key) !== 'revision') return undefined
    const [was, is] = [revisionOf(change.before), revisionOf(change.after)]
    if (is === undefined) {
      return was === undefined ? undefined : judgeRemoved(was, change, by)
    }
    const owner = ownerOf(is)
    return altered(change) ?? (owner === undefined ? undefined : judgeStanding(owner))
  }
  return {
    see: {
      write: ({ by, changes, atMs }) => {
        const breach = firstOf(changes, (change) => judge(change, by))
        for (const { key, after } of changes) named.take(key, after, atMs)
        return breach
      },
    },
    full: () => firstOf(books.workloads.values(), judgeStanding),
  }
}

function standing(workload: WorkloadItem, kept: readonly Revision[]): Breach | undefined {
  const { name } = workload
  const version = versionWanted(workload)
  const own = kept.find((one) => one.version === version)
  if (own === undefined) {
    return { rule: RULE, text: `${name} stands at ${version} without its revision` }
  }
  const newer = kept.find((one) => one !== own && one.number >= own.number)
  if (newer !== undefined) {
    return { rule: RULE, text: `${name} stands at ${version}, and ${newer.version} is newer` }
  }
  if (kept.length <= KEPT + NAMED_MAX) return undefined
  return { rule: RULE, text: `${name} keeps ${String(kept.length)} revisions` }
}

/** A revision that was another before, or is not what its key says. */
function altered({ key, before, after }: Change): Breach | undefined {
  const [was, is] = [revisionOf(before), revisionOf(after)]
  if (is === undefined) return undefined
  const what = `revision ${is.version} of ${is.workload}`
  if (key.sk !== is.version || hashOf(is.template as Template) !== is.version) {
    return { rule: RULE, text: `${what} does not hold the template that it names` }
  }
  if (was === undefined) return undefined
  if (is.number < was.number) return { rule: RULE, text: `${what} got a lower number` }
  const isSame = sameJson(lasting(was), lasting(is))
  return isSame ? undefined : { rule: RULE, text: `${what} was written anew` }
}

/** All that must not change: not the number, nor when it may go with its deleted workload. */
function lasting(revision: Revision): unknown {
  return { ...revision, number: 0, ttl: 0 }
}

/** The versions that roll-outs name, by workload, and since when each is named. */
function makeNamed() {
  const byUid = new Map<string, ReadonlyMap<string, number>>()
  return {
    take: ({ pk }: Key, after: Item | undefined, atMs: number): void => {
      if (pk !== STATUSES) return
      const status = statusOf(after)
      if (status?.rollout === undefined) return
      const before = byUid.get(status.uid)
      const { active, stable } = status.rollout
      const versions = [active, ...(stable === undefined ? [] : [stable])]
      byUid.set(status.uid, new Map(versions.map((own) => [own, before?.get(own) ?? atMs])))
    },
    sinceMs: ({ uid, version }: Revision): number | undefined => byUid.get(uid)?.get(version),
  }
}

const STATUSES = keys.status('workload', '').pk
