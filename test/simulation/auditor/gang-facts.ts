/**
 * What rules about gangs look at: which workloads are gangs, who of one is told to run, what room
 * is kept for it, and whether a pass has done all that it meant to do.
 */
import type { BoundReplica } from '#shared/model/assignment.ts'
import { isGang } from '#shared/model/gang.ts'
import type { Node } from '#shared/model/node.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import type { Reservation } from '#shared/model/status.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import type { SeenOf, Truth } from '../traffic.ts'
import type { Books } from './books.ts'
import { kindOf, passOf, statusOf, templateIn, versionMeant } from './items.ts'
import { needOf, type Amount } from './needs.ts'
import type { Passes } from './passes.ts'
import type { Scan } from './scan.ts'

export type Member = { readonly bound: BoundReplica; readonly node: Node }

/** Told to run, on nodes that are there now. */
export function runOf(uid: string, { bodies, nodes }: Books): readonly Member[] {
  const found: Member[] = []
  for (const { node: name, replicas } of bodies.values()) {
    const node = nodes.get(name)
    if (node === undefined || !isThere(node)) continue
    for (const bound of replicas) {
      if (bound.uid === uid && bound.order === 'run') found.push({ bound, node })
    }
  }
  return found
}

export function isThere({ phase, lostSinceMs }: Node): boolean {
  return phase !== 'terminating' && lostSinceMs === undefined
}

export function gangsIn(scan: Scan): readonly WorkloadItem[] {
  return scan.workloads().filter((own) => own.deletedAtMs === undefined && isGang(own))
}

/** Room that is kept for a workload, as its status stands now. */
export function keptFor(workload: WorkloadItem, truth: Truth): readonly Reservation[] {
  const status = statusOf(truth.get(keys.status('workload', workload.name)))
  return status?.uid === workload.uid ? (status.reservations ?? []) : []
}

/** The same as the pass has read it. */
export function keptIn(scan: Scan, { name, uid }: WorkloadItem): readonly Reservation[] {
  const status = statusOf(scan.get(keys.status('workload', name)))
  return status?.uid === uid ? (status.reservations ?? []) : []
}

export const roomsIn = (kept: readonly Reservation[]): number =>
  kept.reduce((sum, own) => sum + own.count, 0)

/** What one of it takes in the version that people mean: an undo goes back to its size, too. */
export function memberNeed(gang: WorkloadItem, scan: Scan): Amount {
  const version = versionMeant(gang, scan.get(keys.order('workload', gang.name)))
  return needOf(templateIn(scan.get(keys.revision(gang.uid, version))) ?? gang.spec)
}

/** What it is that is wanted: another version or another number is another gang. */
export function wishOf(workload: WorkloadItem, scan: Scan): string {
  const version = versionMeant(workload, scan.get(keys.order('workload', workload.name)))
  return `${version} ×${String(workload.spec.replicas ?? 0)}`
}

/** A pass that lasts longer leaves the rest of its work to the next one. */
const CUT_OFF_MS = 15_000

export type Endings = {
  hear(seen: SeenOf<'write'>): void
  /** It has written all that it planned, and nobody overtook it. */
  isWhole(seen: SeenOf<'over'>): boolean
}

/** A pass says last of all that it was a good one. */
export function makeEndings(passes: Passes): Endings {
  const good = new Set<string>()
  const isSign = ({ key, before, after }: Change): boolean =>
    kindOf(key) === 'pass' &&
    passOf(after)?.lastGoodStartedAtMs !== passOf(before)?.lastGoodStartedAtMs
  return {
    hear: ({ by, changes }) => {
      if (changes.some(isSign)) good.add(by.label)
    },
    isWhole: ({ by, how, atMs }) => {
      const isGood = good.delete(by.label)
      const isInTime = atMs - by.startedAtMs < CUT_OFF_MS
      return how === 'ended' && isGood && isInTime && passes.of(by)?.scan !== undefined
    },
  }
}
