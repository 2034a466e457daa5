/**
 * Items as writes. A node, its assignment and the head that agents poll change together or not at
 * all.
 */
import type { Assignment, AssignmentHead } from '../../model/assignment.ts'
import type { Brake, Shortage } from '../../model/facts.ts'
import type { Launch } from '../../model/launch.ts'
import type { Node } from '../../model/node.ts'
import type { Noun } from '../../model/names.ts'
import type { Status } from '../../model/status.ts'
import type { ItemChanges } from '../../planner/fold.ts'
import { keys } from '../../store/keys.ts'
import type { Write } from '../../store/store.ts'

/** One group a node: its own item and its assignment's. */
export function nodeWrites(changes: ItemChanges): Write[][] {
  const byNode = new Map<string, Write[]>()
  const groupOf = (name: string): Write[] => {
    const known = byNode.get(name)
    if (known !== undefined) return known
    const fresh: Write[] = []
    byNode.set(name, fresh)
    return fresh
  }
  for (const node of changes.nodes) groupOf(node.name).push(putNode(node))
  for (const own of changes.assignments) groupOf(own.node).push(...putAssignment(own))
  for (const { node } of changes.removed) groupOf(node.name).push(...removeNode(node))
  return [...byNode.values()]
}

export function putNode(node: Node): Write {
  return { kind: 'put', item: { ...node, ...keys.node(node.name) } }
}

export function putAssignment(own: Assignment): Write[] {
  const { arn, node, generation } = own
  const head: AssignmentHead = { kind: 'assignment-head', arn, node, generation }
  return [
    { kind: 'put', item: { ...own, ...keys.assignment(arn) } },
    { kind: 'put', item: { ...head, ...keys.assignmentHead(arn) } },
  ]
}

function removeNode(node: Node): Write[] {
  const writes: Write[] = [{ kind: 'delete', key: keys.node(node.name) }]
  if (node.machine === undefined) return writes
  const { arn } = node.machine
  return [
    ...writes,
    { kind: 'delete', key: keys.assignment(arn) },
    { kind: 'delete', key: keys.assignmentHead(arn) },
  ]
}

export function putLaunch(launch: Launch): Write {
  return { kind: 'put', item: { ...launch, ...keys.launch(launch.id) } }
}

export function deleteLaunch(id: string): Write {
  return { kind: 'delete', key: keys.launch(id) }
}

export function putStatus(status: Status): Write {
  return { kind: 'put', item: { ...status, ...keys.status(status.noun, status.name) } }
}

export function deleteStatus({ noun, name }: { noun: Noun; name: string }): Write {
  return { kind: 'delete', key: keys.status(noun, name) }
}

export function putBrake(brake: Brake): Write {
  return { kind: 'put', item: { ...brake, ...keys.brake(brake.pool) } }
}

/** How long a shortage is remembered past its end, so that the next one there waits longer. */
const SHORTAGE_MEMORY_SECONDS = 3_600

export function putShortage(shortage: Shortage): Write {
  const ttl = Math.ceil(shortage.untilMs / 1000) + SHORTAGE_MEMORY_SECONDS
  return { kind: 'put', item: { ...shortage, ...keys.shortage(shortage), ttl } }
}
