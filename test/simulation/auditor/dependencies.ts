/**
 * Dependencies: nobody's first replica is bound before those it names are there, and nobody's later
 * one waits for them.
 *
 * Judged by what the pass read. Who depends on each other in a circle waits for nobody in it.
 */
import { isGang } from '#shared/model/gang.ts'
import { countOf } from '#shared/model/quantities.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import type { WorkloadStatus } from '#shared/model/status.ts'
import { keys } from '#shared/store/keys.ts'
import { availableIn, desiredOf, floorOf } from './available.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { statusOf } from './items.ts'
import type { OpenPass } from './passes.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan } from './scan.ts'

const RULE = 'dependencies'
const CODES: ReadonlySet<string> = new Set(['DependencyNotReady', 'DependencyMissing'])

type Find = (name: string) => WorkloadItem | undefined

export function makeDependencies({ books, passes }: Knowledge): Rule {
  /** Uids of workloads of which a replica was ever bound, and of those that were told so. */
  const bound = new Set<string>()
  const told = new Set<string>()
  for (const { replicas } of books.bodies.values()) for (const { uid } of replicas) bound.add(uid)

  const judgeStatus = (status: WorkloadStatus | undefined): Breach | undefined => {
    if (status === undefined) return undefined
    if (status.assigned > 0) told.add(status.uid)
    if (!told.has(status.uid) || !waitsForOthers(status)) return undefined
    return { rule: RULE, text: `${status.name} has run, and waits for those it depends on` }
  }
  return {
    see: {
      write: ({ by, changes }) => {
        if (by.role !== 'reconcile') return undefined
        const added = changes.filter(isBody).flatMap((own) => bodyChange(own).added)
        const first = added.filter(({ uid }) => !bound.has(uid))
        for (const { uid } of added) bound.add(uid)
        const pass = passes.of(by)
        const scan = pass?.scan
        if (pass === undefined || scan === undefined) return undefined
        const late = firstOf(first, ({ id, uid, workload: name }) => {
          const workload = scan.workload(name)
          if (workload?.uid !== uid) return undefined
          const missing = dependenciesOf(workload, scan.workload).find(
            (own) => !isThere(own, scan, pass),
          )
          if (missing === undefined) return undefined
          return { rule: RULE, text: `${by.label}: ${id} is bound before ${missing} is available` }
        })
        return late ?? firstOf(changes, ({ after }) => judgeStatus(statusOf(after)))
      },
    },
  }
}

/** It says that it waits for those it depends on. */
export function waitsForOthers(status: WorkloadStatus | undefined): boolean {
  return (status?.waiting ?? []).some(({ reasons }) => reasons.some(({ code }) => CODES.has(code)))
}

/** Those that it has to wait for. */
export function dependenciesOf(workload: WorkloadItem, find: Find): readonly string[] {
  return (workload.spec.dependsOn ?? []).filter((own) => !leadsTo(own, workload.name, find))
}

function leadsTo(from: string, to: string, find: Find): boolean {
  const seen = new Set([from])
  for (const name of seen) {
    if (name === to) return true
    const next = find(name)
    if (next?.deletedAtMs !== undefined) continue
    for (const own of next?.spec.dependsOn ?? []) seen.add(own)
  }
  return false
}

/** So many replicas make it available; 0 of one that is to have none. */
export function neededOf(workload: WorkloadItem, status: WorkloadStatus | undefined): number {
  const desired = desiredOf(workload)
  const { minAvailable } = workload.spec.availability
  const allowed = Math.min(desired, (status?.uid === workload.uid && status.allowed) || desired)
  const least =
    minAvailable === undefined
      ? floorOf(workload.spec, allowed)
      : countOf(minAvailable, { total: allowed, round: 'up' })
  return Math.max(isGang(workload) ? allowed : least, Math.min(1, desired))
}

function isThere(name: string, scan: Scan, pass: OpenPass): boolean {
  const workload = scan.workload(name)
  if (workload === undefined || workload.deletedAtMs !== undefined) return false
  const status = statusOf(scan.get(keys.status('workload', name)))
  return availableIn(scan, pass, workload).size >= neededOf(workload, status)
}
