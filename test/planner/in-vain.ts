/**
 * Whether somebody was sent away in vain: the planner itself is asked.
 *
 * When all that it sent away have gone, those for whom it did so must fit; and when any one of them
 * lives on, they must not.
 */
import { sum } from '#shared/base/sum.ts'
import type { Assignment } from '#shared/model/assignment.ts'
import type { Action, Plan } from '#shared/planner/actions.ts'
import { plan } from '#shared/planner/plan.ts'
import { tell, type World } from '../scenarios/world.ts'

type Stop = Extract<Action, { kind: 'stop' }>

/** Those that the plan sends away so that others may have their room. */
export function victimsOf({ actions }: Plan): readonly Stop[] {
  const drained = new Set(actions.flatMap((own) => (own.kind === 'drain' ? [own.node] : [])))
  return actions.filter(
    (own): own is Stop =>
      own.kind === 'stop' &&
      ['Reclaimed', 'Preempted'].includes(own.reason.code) &&
      // A whole node that ends makes room below its pool's limit, and none on itself.
      !drained.has(own.node),
  )
}

/** In words; nothing where all of it was needed. The world is as the plan has left it. */
export function sentAwayInVain(world: World, made: Plan): readonly string[] {
  const victims = victimsOf(made)
  const reserved = made.workloadStatuses.flatMap(({ name, reservations = [] }): Reserved[] =>
    reservations.length === 0 ? [] : [{ name, count: sum(reservations.map((own) => own.count)) }],
  )
  const told = reserved.map((own) => `${String(own.count)} of ${own.name}`).join(', ')
  return [
    ...(victims.length === 0 || fit(world, reserved) ? [] : [`no room for ${told} when all go`]),
    ...victims
      .filter((own) => fit(world, reserved, own))
      .map((own) => `there is room for ${told} though ${own.replica} lives`),
  ]
}

type Reserved = { readonly name: string; readonly count: number }

/** The next pass binds as many of each, when the others have stopped. */
function fit(world: World, reserved: readonly Reserved[], living?: Stop): boolean {
  const next = { ...world }
  next.assignments = world.assignments.map((own) =>
    own.node === living?.node ? reprieved(own, living.replica) : own,
  )
  for (const { node } of next.assignments) tell(next, `obey ${node}`)
  tell(next, 'pass +1s')
  const bound = plan(next).plan.actions.flatMap((own) =>
    own.kind === 'bind' ? [own.replica.workload] : [],
  )
  return reserved.every(({ name, count }) => bound.filter((own) => own === name).length >= count)
}

function reprieved(assignment: Assignment, id: string): Assignment {
  return {
    ...assignment,
    replicas: assignment.replicas.map((own) => {
      const { stopAtMs: _at, stopReason: _reason, ...rest } = own
      return own.id === id ? { ...rest, order: 'run' } : own
    }),
  }
}
