/**
 * Room: what is bound to a node fits it, in every dimension and on every GPU device.
 *
 * Replicas that were told to stop count until they leave the assignment, for until then they may
 * run. The same is asked of the world: the processes on a machine never ask for more than it has.
 * Where an agent has denied a process that was running, drover could not know better, and its
 * machine is not judged by the world any more.
 */
import { typeByName } from '#shared/catalog/catalog.ts'
import { templateKey, type Assignment } from '#shared/model/assignment.ts'
import type { Node } from '#shared/model/node.ts'
import type { Change } from '#shared/store/store.ts'
import type { TrueProcess } from '../traffic.ts'
import { bodyChange, isBody } from './body-changes.ts'
import type { Liars } from './liars.ts'
import { excess, needOf, plus, roomOf, wrongDevices, ZERO, type Amount } from './needs.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = '2 room'
const REPLICAS_MAX = 250

export function makeRoom({ truth, books }: Knowledge, liars: Liars): Rule {
  const judgeBody = (body: Assignment): Breach | undefined => {
    const { machine } = books.nodes.get(body.node) ?? {}
    if (machine === undefined) {
      if (body.replicas.length === 0) return undefined
      return { rule: RULE, text: `replicas are bound to ${body.node}, which has no machine` }
    }
    const text = wrongRoom(body, machine)
    return text === undefined ? undefined : { rule: RULE, text: `${body.node}: ${text}` }
  }
  const judgeMachine = (instanceId: string): Breach | undefined => {
    const instance = truth.instance(instanceId)
    const type = instance === undefined ? undefined : typeByName.get(instance.instanceType)
    if (type === undefined || liars.has(instanceId)) return undefined
    const had = { ...type.allocatable, gpuMilli: type.gpuCount * 1000 }
    const text = wrongMachine(truth.processes(instanceId), { had, gpuCount: type.gpuCount })
    if (text === undefined) return undefined
    return { rule: RULE, text: `the processes on ${instanceId} (${type.name}): ${text}` }
  }
  /** Who leaves an assignment has no process any more: its room is given away the same moment. */
  const judgeLeaving = (change: Change): Breach | undefined => {
    const { after, removed } = bodyChange(change)
    if (after === undefined || removed.length === 0) return undefined
    const node = books.nodes.get(after.node)
    const id = node?.machine?.instanceId ?? ''
    if (node === undefined || node.phase === 'terminating' || liars.has(id)) return undefined
    const gone = new Set(removed.map((own) => own.id))
    const left = truth.processes(id).find((own) => gone.has(own.replicaId))
    if (left === undefined) return undefined
    const text = `${left.replicaId} left the assignment of ${after.node} and still runs there`
    return { rule: RULE, text }
  }
  return {
    see: {
      write: ({ changes }) =>
        firstOf(changes, (change) => {
          if (!isBody(change)) return undefined
          const { before, after } = bodyChange(change)
          if (after === undefined || after.replicas === before?.replicas) return undefined
          return judgeBody(after) ?? judgeLeaving(change)
        }),
      process: ({ instanceId, what }) =>
        what === 'started' ? judgeMachine(instanceId) : undefined,
    },
    full: () =>
      firstOf(books.bodies.values(), judgeBody) ??
      firstOf(truth.instances(), ({ instanceId }) => judgeMachine(instanceId)),
  }
}

function wrongRoom(body: Assignment, machine: NonNullable<Node['machine']>): string | undefined {
  if (body.replicas.length > REPLICAS_MAX) {
    return `${String(body.replicas.length)} replicas are bound; ${String(REPLICAS_MAX)} is the most`
  }
  let used: Amount = ZERO
  const shares = []
  for (const own of body.replicas) {
    const template = body.templates[templateKey(own)]
    if (template === undefined) return `the assignment lacks the template of ${own.id}`
    const need = needOf(template)
    used = plus(used, need)
    shares.push({ id: own.id, needMilli: need.gpuMilli, gpus: own.gpus })
  }
  const room = roomOf(machine)
  const count = `${String(body.replicas.length)} replicas ask for`
  const much = excess(used, room)
  if (much !== undefined) return `${count} ${much} (${machine.instanceType})`
  return wrongDevices(shares, room.gpuMilli / 1000)
}

type Machine = { readonly had: Amount; readonly gpuCount: number }

function wrongMachine(
  processes: readonly TrueProcess[],
  { had, gpuCount }: Machine,
): string | undefined {
  const used = processes.reduce((sum, own) => plus(sum, needOf(own.template)), ZERO)
  const much = excess(used, had)
  if (much !== undefined) return `${String(processes.length)} ask for ${much}`
  const shares = processes.map((own) => ({
    id: own.replicaId,
    needMilli: needOf(own.template).gpuMilli,
    gpus: own.gpus,
  }))
  return wrongDevices(shares, gpuCount)
}
