/**
 * Services: nobody stands behind a load balancer whom no assignment names there, who is told to
 * stop has left it before, and who is told to run leaves none but to be registered at another port.
 *
 * Judged by who is registered in truth, whatever a listing said. A stop need not wait for those
 * who have no time left: their node's drain or EC2 is about to end them, or they have been leaving
 * for so long that nothing can be open any more. Nor is it drover's order when an agent starts a
 * process again because it serves other data than it should, or when a node was given up as lost
 * and came back. And a call of an overtaken pass may come late, and register who has left already.
 */
import type { TargetState } from '#shared/model/service.ts'
import type { Assignment, BoundReplica } from '#shared/model/assignment.ts'
import { dataKey } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Node } from '#shared/model/node.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import type { SeenOf, TrueProcess, TrueTarget } from '../traffic.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { runningNow, type RunningNow } from './replicas-now.ts'
import { CLOCK_SLACK_MS, firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = 'services'

/** So far an agent's clock is off, which judges by itself when EC2 will end its machine. */
const AGENT_CLOCK_MS = 6_000

/** What assignments said of one target, by the newest of them. */
type Named = {
  /** When none named it any more. */
  untilMs: number
  leavingSinceMs?: number | undefined
}

export function makeServices({ truth, books }: Knowledge): Rule {
  const named = new Map<string, Named>()
  /** Since when each replica has been leaving, by id. */
  const leaving = new Map<string, number>()
  /** Registered by a pass that did not know that they leave. */
  const late = new Set<string>()
  for (const body of books.bodies.values()) for (const own of body.replicas) name(body, own)

  function name({ arn }: Assignment, { id, balanced }: BoundReplica): void {
    if (balanced === undefined) return
    const { targetGroupArn, port, leavingSinceMs } = balanced
    named.set(keyOf(targetGroupArn, idOf(arn), port), { untilMs: Infinity, leavingSinceMs })
    if (leavingSinceMs === undefined) leaving.delete(id)
    else leaving.set(id, leavingSinceMs)
  }
  const unname = ({ arn }: Assignment, { balanced }: BoundReplica): void => {
    if (balanced === undefined) return
    const known = named.get(keyOf(balanced.targetGroupArn, idOf(arn), balanced.port))
    if (known !== undefined) known.untilMs = truth.nowMs()
  }
  const judgeRegistration = (
    { by, targetGroupArn }: SeenOf<'balance'>,
    { instanceId, port }: { instanceId: string; port: number },
  ): Breach | undefined => {
    const key = keyOf(targetGroupArn, instanceId, port)
    const known = named.get(key)
    if (known === undefined || known.untilMs < by.startedAtMs - CLOCK_SLACK_MS) {
      const text = `${by.label} registered ${key}, which no assignment names`
      return { rule: RULE, text }
    }
    const isLate = known.untilMs !== Infinity || known.leavingSinceMs !== undefined
    if (isLate) late.add(key)
    return undefined
  }
  const judgeStop = ({ instanceId, replicaId, atMs }: SeenOf<'process'>): Breach | undefined => {
    const process = truth.processes(instanceId).find((own) => own.replicaId === replicaId)
    const target = process === undefined ? undefined : openAt(truth.targets(), instanceId, process)
    if (process === undefined || target === undefined) return undefined
    const key = keyOf(target.targetGroupArn, instanceId, target.port)
    const node = books.nodeOfInstance(instanceId)
    const leavingMs = atMs - (leaving.get(replicaId) ?? Infinity)
    if (leavingMs >= LIMITS.deregisterMostMs - CLOCK_SLACK_MS) return undefined
    if (late.has(key) || node?.lostSinceMs !== undefined) return undefined
    const body = books.bodies.get(node?.machine?.arn ?? '')
    if (servesOther(process, body) || isShortOfTime(process, node, instanceId)) return undefined
    const text = `${replicaId} was told to stop, and is ${target.state} as ${key}`
    return { rule: RULE, text }
  }
  /** Where it listens as before. */
  const judgeLeaving = (
    { arn }: Assignment,
    { id, order, balanced }: BoundReplica,
    before: BoundReplica | undefined,
  ): Breach | undefined => {
    const isNew = before?.balanced !== undefined && before.balanced.leavingSinceMs === undefined
    if (!isNew || order !== 'run' || balanced?.leavingSinceMs === undefined) return undefined
    const process = truth.processes(idOf(arn)).find((own) => own.replicaId === id)
    if (!Object.values(process?.ports ?? {}).includes(balanced.port)) return undefined
    const key = keyOf(balanced.targetGroupArn, idOf(arn), balanced.port)
    return { rule: RULE, text: `${id} is to run, and to leave ${key}, where it listens` }
  }
  const isShortOfTime = (
    { template }: TrueProcess,
    node: Node | undefined,
    instanceId: string,
  ): boolean => {
    const graceMs = template.terminationGraceSeconds * 1000
    const drainMs = node?.drain?.deadlineMs ?? Infinity
    const endMs = truth.instance(instanceId)?.interruption?.atMs ?? Infinity
    const lastMs = Math.min(drainMs - CLOCK_SLACK_MS, endMs - AGENT_CLOCK_MS) - graceMs
    return truth.nowMs() >= lastMs
  }
  return {
    see: {
      write: ({ by, changes }) => {
        if (by.role !== 'reconcile') return undefined
        const bodies = changes.filter(isBody).map(bodyChange)
        for (const { before, after } of bodies) {
          for (const own of before?.replicas ?? []) unname(before as Assignment, own)
          for (const own of after?.replicas ?? []) name(after as Assignment, own)
        }
        return firstOf(bodies, ({ before, after }) => {
          const old = new Map(before?.replicas.map((own) => [own.id, own]))
          return firstOf(after?.replicas ?? [], (own) =>
            judgeLeaving(after as Assignment, own, old.get(own.id)),
          )
        })
      },
      balance: (seen) => {
        if (seen.by.role !== 'reconcile') {
          return { rule: RULE, text: `${seen.by.label} told a load balancer; reconcile alone may` }
        }
        if (seen.what === 'deregister') return undefined
        return firstOf(seen.targets, (target) => judgeRegistration(seen, target))
      },
      process: (seen) => {
        if (seen.what === 'told to stop') return judgeStop(seen)
        if (seen.what === 'over') leaving.delete(seen.replicaId)
        return undefined
      },
    },
    full: () => {
      const oldMs = truth.nowMs() - LIMITS.deregisterMostMs
      for (const [key, own] of named) {
        if (own.untilMs >= oldMs) continue
        named.delete(key)
        late.delete(key)
      }
      return undefined
    },
    unsettled: () => apart({ truth, books }),
  }
}

/** Who is registered and should not be, and who should be and is not. */
function apart({ truth, books }: Pick<Knowledge, 'truth' | 'books'>): string[] {
  const running = runningNow(truth)
  const wanted = new Map(
    [...books.workloads.values()].flatMap((workload) =>
      (running.get(workload.name) ?? []).flatMap((own) => {
        const key = targetOf(workload, own)
        return key === undefined ? [] : [[key, own] as const]
      }),
    ),
  )
  const targets = new Map(truth.targets().map((own) => [keyOfTarget(own), own.state]))
  const missing = [...wanted].flatMap(([key, { replicaId }]) =>
    targets.get(key) === 'healthy'
      ? []
      : [`${replicaId} is ${targets.get(key) ?? 'not registered'} as ${key}`],
  )
  const surplus = truth
    .targets()
    .filter((own) => isOpen(own.state) && books.nodeOfInstance(own.instanceId) !== undefined)
    .flatMap((own) => {
      const key = keyOfTarget(own)
      return wanted.has(key) ? [] : [`${key} is ${own.state}, and nobody serves there`]
    })
  return [...missing, ...surplus]
}

/** Where it should be registered. */
function targetOf({ deletedAtMs }: WorkloadItem, own: RunningNow): string | undefined {
  const { service, ports } = own.template
  if (service === undefined || deletedAtMs !== undefined || own.stopping) return undefined
  const port = own.ports[service.port ?? ports[0]?.name ?? '']
  return port === undefined ? undefined : keyOf(service.targetGroupArn, own.instanceId, port)
}

/** Something may be open there. */
const isOpen = (state: TargetState): boolean => state !== 'unused'

function openAt(
  targets: readonly TrueTarget[],
  instanceId: string,
  { ports }: TrueProcess,
): TrueTarget | undefined {
  const own = Object.values(ports)
  return targets.find(
    ({ state, port, ...target }) =>
      target.instanceId === instanceId && own.includes(port) && isOpen(state),
  )
}

/** Its agent starts it again by itself. */
function servesOther({ template, digest }: TrueProcess, body: Assignment | undefined): boolean {
  if (template.data === undefined) return false
  const key = dataKey(template.data)
  const expected = body?.data?.find((own) => own.key === key)?.digest
  return expected !== undefined && expected !== digest
}

const keyOf = (targetGroupArn: string, instanceId: string, port: number): string =>
  `${targetGroupArn.replace(/^.*:targetgroup\//, '')} ${instanceId}:${String(port)}`

const keyOfTarget = ({ targetGroupArn, instanceId, port }: TrueTarget): string =>
  keyOf(targetGroupArn, instanceId, port)

const idOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1)
