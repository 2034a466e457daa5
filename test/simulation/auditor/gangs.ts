/**
 * Gangs run whole or not at all: who is bound is bound with all the others, and who is taken away
 * takes the others along.
 *
 * A pass may die in the middle, and a machine under any of them at any time. So what is judged is
 * what a pass leaves that has come to its end, and whether the passes after one that did not put it
 * right. Of a gang that restarts as one nobody is bound while another of it is told to run.
 */
import type { BoundReplica } from '#shared/model/assignment.ts'
import { isGang, restartsWhole } from '#shared/model/gang.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { keys } from '#shared/store/keys.ts'
import type { Caller, SeenOf } from '../traffic.ts'
import { desiredOf } from './available.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { gangsIn, isThere, makeEndings, runOf, type Endings, type Member } from './gang-facts.ts'
import { versionMeant } from './items.ts'
import type { Liars } from './liars.ts'
import type { OpenPass } from './passes.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan } from './scan.ts'

const RULE = 'gang'

/** Who stops for one of these goes with all of its gang, whoever else may restart alone. */
const OF_ALL: ReadonlySet<string> = new Set(['Reclaimed', 'Preempted', 'GangRestart'])
/** Stops that only a gang knows. */
const OF_GANGS: ReadonlySet<string> = new Set(['GangRestart', 'GangDeadline'])
/** Stops that would leave the rest of a gang running on purpose. */
const OF_OTHERS: ReadonlySet<string> = new Set(['Moved', 'Replaced', 'PoolLimit'])

/** Passes that may be needed to put right what one of them left half done, or a machine broke. */
const PASSES_MAX = 3

/** One start of a gang: all that were bound since last none of it ran. */
type Start = {
  readonly ids: Set<string>
  /** As many as were wanted have run at the end of a pass. */
  isComplete: boolean
  /** Passes that have seen it broken and left it so. */
  strikes: number
}

/** What a pass has done to one workload. */
type Deeds = { readonly bound: BoundReplica[]; readonly stopped: BoundReplica[] }

type Ward = {
  readonly knowledge: Knowledge
  readonly liars: Liars
  readonly starts: Map<string, Start>
  readonly deeds: Map<string, Map<string, Deeds>>
  readonly endings: Endings
}

export function makeGangs(knowledge: Knowledge, liars: Liars): Rule {
  const endings = makeEndings(knowledge.passes)
  const ward: Ward = { knowledge, liars, starts: new Map(), deeds: new Map(), endings }
  return {
    see: {
      write: (seen) => {
        if (seen.by.role !== 'reconcile') return undefined
        endings.hear(seen)
        return judgeWrite(seen, ward)
      },
      over: (seen) => {
        const isWhole = endings.isWhole(seen)
        const done = ward.deeds.get(seen.by.label) ?? new Map<string, Deeds>()
        ward.deeds.delete(seen.by.label)
        const pass = knowledge.passes.of(seen.by)
        if (!isWhole || pass?.scan === undefined) return undefined
        const { scan } = pass
        return firstOf(gangsIn(scan), (gang) => {
          const own = done.get(gang.uid) ?? { bound: [], stopped: [] }
          return judgeEnd(gang, { pass, scan, done: own, by: seen.by }, ward)
        })
      },
    },
    full: () => {
      const live = new Set([...knowledge.books.workloads.values()].map((own) => own.uid))
      for (const uid of ward.starts.keys()) if (!live.has(uid)) ward.starts.delete(uid)
      return undefined
    },
  }
}

const tell = (by: Caller, text: string): Breach => ({ rule: RULE, text: `${by.label}: ${text}` })

function judgeWrite({ by, changes }: SeenOf<'write'>, ward: Ward): Breach | undefined {
  const scan = ward.knowledge.passes.of(by)?.scan
  if (scan === undefined) return undefined
  const bodies = changes.filter(isBody).map(bodyChange)
  const ofGang = ({ workload: name, uid }: BoundReplica): WorkloadItem | undefined => {
    const workload = scan.workload(name)
    return workload?.uid === uid && isGang(workload) ? workload : undefined
  }
  const stopped = bodies.flatMap((own) => own.stopped)
  const wrong = firstOf(stopped, (bound) => {
    const gang = ofGang(bound)
    const code = bound.stopReason?.code ?? ''
    if (gang === undefined) {
      const isKnown = scan.workload(bound.workload)?.uid === bound.uid
      if (!isKnown || !OF_GANGS.has(code)) return undefined
      return tell(by, `${bound.id} was told to stop (${code}), and is of no gang`)
    }
    deedsOf(by, gang.uid, ward).stopped.push(bound)
    return OF_OTHERS.has(code) ? tell(by, `${bound.id} of a gang went alone (${code})`) : undefined
  })
  const added = bodies.flatMap((own) => own.added)
  return (
    wrong ??
    firstOf(added, (bound) => {
      const gang = ofGang(bound)
      return gang === undefined ? undefined : judgeBinding(bound, { gang, by, added }, ward)
    })
  )
}

function deedsOf({ label }: Caller, uid: string, { deeds }: Ward): Deeds {
  const ofPass = deeds.get(label) ?? new Map<string, Deeds>()
  deeds.set(label, ofPass)
  const own = ofPass.get(uid) ?? { bound: [], stopped: [] }
  ofPass.set(uid, own)
  return own
}

type Binding = {
  readonly gang: WorkloadItem
  readonly by: Caller
  /** All that the very write has bound. */
  readonly added: readonly BoundReplica[]
}

function judgeBinding(
  bound: BoundReplica,
  { gang, by, added }: Binding,
  ward: Ward,
): Breach | undefined {
  const { knowledge, starts } = ward
  const { uid } = gang
  const done = deedsOf(by, uid, ward)
  const fresh = new Set([...done.bound, ...added].map((own) => own.id))
  const isFirst = done.bound.length === 0
  done.bound.push(bound)
  const before = runOf(uid, knowledge.books).filter((own) => !fresh.has(own.bound.id))
  const start = starts.get(uid)
  if (start === undefined || (isFirst && before.length === 0)) {
    starts.set(uid, { ids: new Set([bound.id]), isComplete: false, strikes: 0 })
  } else start.ids.add(bound.id)
  const ghost = isFirst ? ghostOf(gang, fresh, ward) : undefined
  if (ghost !== undefined) {
    return tell(by, `${bound.id} was bound, and ${ghost} of an earlier start still runs`)
  }
  if (before.length === 0 || !restartsWhole(gang.spec) || start === undefined) return undefined
  const running = new Set(before.map((own) => own.bound.id))
  const isBroken = [...start.ids].some((id) => !fresh.has(id) && !running.has(id))
  if (!start.isComplete && !isBroken) return undefined
  const others = before.map((own) => own.bound.id).join(', ')
  return tell(by, `${bound.id} was bound while ${others} ran, and its gang restarts as one`)
}

/** A process of the gang that nobody wants to run, on a node that is there. */
function ghostOf(
  { uid, name }: WorkloadItem,
  fresh: ReadonlySet<string>,
  { knowledge: { truth, books }, liars }: Ward,
): string | undefined {
  const wanted = new Set(runOf(uid, books).map((own) => own.bound.id))
  for (const { instanceId, state } of truth.instances()) {
    const node = books.nodeOfInstance(instanceId)
    if (state !== 'running' || node === undefined || !isThere(node)) continue
    if (liars.has(instanceId)) continue
    // Whoever was deleted and made anew under its name is another gang.
    const replicas = books.bodies.get(node.machine?.arn ?? '')?.replicas ?? []
    const others = new Set(replicas.flatMap((own) => (own.uid === uid ? [] : own.id)))
    const isSpoken = (id: string): boolean => wanted.has(id) || fresh.has(id) || others.has(id)
    const found = truth
      .processes(instanceId)
      .find(({ workload, replicaId }) => workload === name && !isSpoken(replicaId))
    if (found !== undefined) return found.replicaId
  }
  return undefined
}

type Ended = {
  readonly pass: OpenPass
  readonly scan: Scan
  readonly done: Deeds
  readonly by: Caller
}

/** What a pass leaves that has come to its end. */
function judgeEnd(gang: WorkloadItem, ended: Ended, ward: Ward): Breach | undefined {
  const { by, done } = ended
  const run = runOf(gang.uid, ward.knowledge.books)
  const desired = desiredOf(gang)
  const start = ward.starts.get(gang.uid)
  if (start !== undefined && run.length >= desired) start.isComplete = true
  const told = `${String(run.length)} of ${String(desired)} of gang ${gang.name} are told to run`
  if (done.bound.length > 0 && run.length !== desired) {
    return tell(by, `${told} after it bound ${idsOf(done.bound)}`)
  }
  const goes = done.stopped.filter(
    ({ stopReason }) => restartsWhole(gang.spec) || OF_ALL.has(stopReason?.code ?? ''),
  )
  if (goes.length > 0 && run.length > 0) {
    return tell(by, `${told} after it stopped ${idsOf(goes)}`)
  }
  const vain = stoppedInVain(gang, ended, ward)
  if (vain !== undefined) return tell(by, vain)
  if (start === undefined || !restartsWhole(gang.spec)) return undefined
  const running = new Set(run.map((own) => own.bound.id))
  const isBroken = [...start.ids].some((id) => !running.has(id))
  const isHalf = !start.isComplete && run.length < desired
  start.strikes = run.length > 0 && (isBroken || isHalf) ? start.strikes + 1 : 0
  if (start.strikes <= PASSES_MAX) return undefined
  return tell(by, `${told}, and passes leave it so`)
}

const idsOf = (replicas: readonly BoundReplica[]): string =>
  replicas.map((own) => `${own.id} (${own.stopReason?.code ?? 'run'})`).join(', ')

/** A gang that lacked nothing is restarted for nothing. */
function stoppedInVain(gang: WorkloadItem, { scan, done }: Ended, ward: Ward): string | undefined {
  const { stopped } = done
  if (stopped.length === 0 || !stopped.every(isOfGangs)) return undefined
  const { nodes } = ward.knowledge.books
  const members = scan
    .replicasOf(gang.uid)
    .filter((own) => own.bound.order === 'run')
    .flatMap(({ bound }): Member[] => {
      const node = nodes.get(
        scan.replicasOf(gang.uid).find((own) => own.bound === bound)?.node.name ?? '',
      )
      return node === undefined ? [] : [{ bound, node }]
    })
  const meant = versionMeant(gang, scan.get(keys.order('workload', gang.name)))
  const isSound = ({ bound, node }: Member): boolean =>
    isThere(node) && node.drain === undefined && bound.version === meant
  const isUnready = stopped.some((own) => own.stopReason?.code === 'GangDeadline')
  // Even where fewer are wanted by now, those that are left have lost a member.
  const hasLost = scan.replicasOf(gang.uid).some(({ node: { name } }) => {
    const node = nodes.get(name)
    return node === undefined || !isThere(node)
  })
  const isWhole = members.length === desiredOf(gang) && members.every(isSound) && !hasLost
  if (!isWhole || (isUnready && members.some((own) => own.bound.readySinceMs === undefined))) {
    return undefined
  }
  return `gang ${gang.name} was whole, and was stopped: ${idsOf(stopped)}`
}

const isOfGangs = ({ stopReason }: BoundReplica): boolean => OF_GANGS.has(stopReason?.code ?? '')
