/**
 * Roll-outs: what has failed is started no more, what is on trial is tried by few, and a surge
 * counts all that runs.
 *
 * Judged by what the pass read, with its own bindings and stops counted. A gang is stopped whole
 * and started whole, and is for other rules to judge.
 */
import type { BoundReplica } from '#shared/model/assignment.ts'
import { isGang } from '#shared/model/gang.ts'
import { countOf } from '#shared/model/quantities.ts'
import type { Node } from '#shared/model/node.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { keys } from '#shared/store/keys.ts'
import type { Caller } from '../traffic.ts'
import { availableIn, desiredOf } from './available.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { statusOf, versionWanted } from './items.ts'
import type { OpenPass } from './passes.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan, ScannedReplica } from './scan.ts'

const RULE = 'roll-out'
const LEAST = 3
const MOST = 200

/** What a pass has done so far to the replicas of one workload. */
type Done = {
  readonly added: BoundReplica[]
  readonly stopped: Set<string>
  readonly removed: Set<string>
}

export function makeRollouts({ passes }: Knowledge): Rule {
  /** By uid and version: those that were started before it had proved itself, and the most. */
  const touched = new Map<string, { sinceMs: number; ids: Set<string>; most: number }>()
  /** By the pass's label, then by the workload's uid. */
  const done = new Map<string, Map<string, Done>>()

  const doneOf = (by: Caller, uid: string): Done => {
    const ofPass = done.get(by.label) ?? new Map<string, Done>()
    done.set(by.label, ofPass)
    const own = ofPass.get(uid) ?? { added: [], stopped: new Set(), removed: new Set() }
    ofPass.set(uid, own)
    return own
  }
  /** What a machine took with it, or somebody else had stopped, was no fault of its version. */
  const forget = ({ id, uid, version }: BoundReplica): void => {
    touched.get(`${uid}/${version}`)?.ids.delete(id)
  }
  /** However often it is tried again, and whatever is forgotten on the way. */
  const tooManyTouched = (workload: WorkloadItem, facts: Facts): string | undefined => {
    const { scan, pass, done: own } = facts
    const { name, uid } = workload
    const version = onTrialIn(workload, scan)
    const rollout = rolloutIn(scan, name, uid)
    if (version === undefined || rollout?.provenAtMs !== undefined) return undefined
    const available = availableIn(scan, pass, workload)
    const key = `${uid}/${version}`
    const { startedAtMs: sinceMs = 0 } = rollout ?? {}
    const before = touched.get(key)
    // One that is rolled out again is another try.
    const isSame = before?.sinceMs === sinceMs
    const known = isSame ? before : { sinceMs, ids: new Set<string>(), most: 0 }
    for (const fresh of own.added) if (fresh.version === version) known.ids.add(fresh.id)
    known.most = Math.max(known.most, breakerOf(workload))
    touched.set(key, known)
    for (const id of available) known.ids.delete(id)
    // Whose node goes is replaced before it is told to stop.
    const staying = new Set(stayingIn(facts, uid).map(({ bound }) => bound.id))
    for (const { bound } of scan.replicasOf(uid)) if (!staying.has(bound.id)) forget(bound)
    if (known.ids.size <= known.most) return undefined
    const count = String(known.ids.size)
    return `${count} of ${name} were tried at version ${version}, of ${String(known.most)}`
  }
  return {
    see: {
      write: ({ by, changes }) => {
        const pass = passes.of(by)
        const scan = pass?.scan
        if (by.role !== 'reconcile' || pass === undefined || scan === undefined) return undefined
        const names = new Set<string>()
        let culled: Breach | undefined
        for (const { added, stopped, removed } of changes.filter(isBody).map(bodyChange)) {
          for (const own of removed) {
            doneOf(by, own.uid).removed.add(own.id)
            if (own.order === 'run') forget(own)
          }
          for (const own of added) {
            doneOf(by, own.uid).added.push(own)
            names.add(own.workload)
          }
          for (const own of stopped) {
            doneOf(by, own.uid).stopped.add(own.id)
            if (!OF_ROLLOUTS.has(own.stopReason?.code ?? '')) forget(own)
            culled ??= wrongStop(own, scan)
          }
        }
        return (
          culled ??
          firstOf(names, (name) => {
            const workload = scan.workload(name)
            if (workload === undefined || isGang(workload)) return undefined
            const facts = { scan, pass, done: doneOf(by, workload.uid) }
            const text = wrongStart(workload, facts) ?? tooManyTouched(workload, facts)
            return text === undefined ? undefined : { rule: RULE, text: `${by.label}: ${text}` }
          })
        )
      },
      over: ({ by }) => {
        done.delete(by.label)
        return undefined
      },
    },
  }
}

const rolloutIn = (scan: Scan, name: string, uid: string) => {
  const status = statusOf(scan.get(keys.status('workload', name)))
  return status?.uid === uid ? status.rollout : undefined
}

/** A version that has failed takes the place of none. */
function wrongStop(
  { id, uid, workload, version, stopReason }: BoundReplica,
  scan: Scan,
): Breach | undefined {
  const rollout = rolloutIn(scan, workload, uid)
  const item = scan.workload(workload)
  const isStanding = item !== undefined && rollout?.active === versionWanted(item)
  if (rollout?.failed === undefined || !isStanding || rollout.stable !== version) return undefined
  if (!OF_ROLLOUTS.has(stopReason?.code ?? '')) return undefined
  return { rule: RULE, text: `${id} makes way for version ${rollout.active}, which has failed` }
}

const OF_ROLLOUTS: ReadonlySet<string> = new Set(['Replaced', 'RolloutHalted', 'RolledBack'])

/** The version of the spec, while another one is proven. */
function onTrialIn(workload: WorkloadItem, scan: Scan): string | undefined {
  const rollout = rolloutIn(scan, workload.name, workload.uid)
  const wanted = versionWanted(workload)
  if (rollout?.active !== wanted || rollout.stable === undefined) return undefined
  return rollout.stable === wanted ? undefined : wanted
}

type Facts = { readonly scan: Scan; readonly pass: OpenPass; readonly done: Done }

function wrongStart(workload: WorkloadItem, facts: Facts): string | undefined {
  const { scan, done } = facts
  const { name, uid } = workload
  const rollout = rolloutIn(scan, name, uid)
  const wanted = versionWanted(workload)
  const isStanding = rollout?.active === wanted
  const onTrial = onTrialIn(workload, scan)
  const revived = done.added.find(({ version }) => isStanding && version === wanted)
  if (rollout?.failed !== undefined && revived !== undefined) {
    return `${revived.id} is started at version ${wanted}, which has failed`
  }
  return tooManyTried(workload, onTrial, facts) ?? tooMany(workload, facts)
}

/** Those on nodes that stay, as they stand after what the pass has done so far. */
function stayingIn({ scan, pass, done }: Facts, uid: string): readonly ScannedReplica[] {
  return scan
    .replicasOf(uid)
    .filter(({ bound }) => !done.removed.has(bound.id))
    .flatMap((own): ScannedReplica[] => {
      const { name } = own.node
      const node = pass.written.has(name) ? pass.written.get(name) : own.node
      return node === undefined || !isStaying(node) ? [] : [{ ...own, node }]
    })
    .map((own) =>
      done.stopped.has(own.bound.id)
        ? { ...own, bound: { ...own.bound, order: 'stop' as const } }
        : own,
    )
}

const isStaying = ({ drain, phase, lostSinceMs, repack }: Node): boolean =>
  drain === undefined &&
  phase !== 'terminating' &&
  lostSinceMs === undefined &&
  repack?.side !== 'shift'

function tooManyTried(
  workload: WorkloadItem,
  version: string | undefined,
  facts: Facts,
): string | undefined {
  const fresh = facts.done.added.filter((own) => own.version === version)
  if (version === undefined || fresh.length === 0) return undefined
  const available = availableIn(facts.scan, facts.pass, workload)
  const tried = stayingIn(facts, workload.uid).filter(
    ({ bound }) => bound.order === 'run' && bound.version === version && !available.has(bound.id),
  )
  const most = breakerOf(workload)
  const count = tried.length + fresh.length
  if (count <= most) return undefined
  return `${String(count)} of ${workload.name} are tried at version ${version}, of ${String(most)}`
}

function breakerOf(workload: WorkloadItem): number {
  const { maxFailures } = workload.spec.rollout
  const desired = desiredOf(workload)
  if (typeof maxFailures === 'number') return Math.max(1, maxFailures)
  const share = countOf(maxFailures, { total: desired, round: 'up' })
  return Math.min(MOST, Math.max(share, Math.min(LEAST, Math.max(1, desired))))
}

/** More than may run at once while versions change; who was lost is replaced all the same. */
function tooMany(workload: WorkloadItem, facts: Facts): string | undefined {
  const { added } = facts.done
  const [first] = added
  const staying = stayingIn(facts, workload.uid)
  const running = staying.filter(({ bound }) => bound.order === 'run')
  const isRolling = running.some(({ bound }) => bound.version !== first?.version)
  const desired = desiredOf(workload)
  const { maxSurge } = workload.spec.rollout
  const most = desired + Math.max(1, countOf(maxSurge, { total: desired, round: 'up' }))
  if (!isRolling || running.length + added.length <= desired) return undefined
  const all = staying.length + added.length
  if (all <= most) return undefined
  const counts = [running.length, staying.length - running.length, added.length].join('+')
  return `${counts} of ${workload.name} run, stop and start, of ${String(most)} with its surge`
}
