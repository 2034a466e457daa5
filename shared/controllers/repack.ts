/**
 * Looks at the whole herd with more work than a pass may take, and keeps what it finds.
 *
 * So far that is how little a fleet could cost that carries the same, beside what this one costs.
 * Nothing is decided here: reconcile alone decides, on a newer snapshot.
 */
import type { Logger } from '../base/log.ts'
import type { Proposal } from '../model/proposal.ts'
import { boundOf } from '../planner/bound.ts'
import type { GenerateBudget } from '../planner/packing/generate.ts'
import type { Solver } from '../planner/packing/linear-program.ts'
import { plan } from '../planner/plan.ts'
import { keys } from '../store/keys.ts'
import { below, type Store } from '../store/store.ts'
import { lookAtHerd, type LookPorts } from './look.ts'

export type RepackPorts = LookPorts & {
  readonly store: Pick<Store, 'get' | 'scan' | 'write'>
  readonly solver: () => Promise<Solver>
  /** Work that one look may take. */
  readonly budget: GenerateBudget
  readonly log: Logger
}

export type RepackOutcome = Proposal['cost'] & {
  /** False where a look that began later has been kept already. */
  readonly kept: boolean
}

/** One look; throws StoreError or SolverError, and then what was found before stands. */
export async function repack(ports: RepackPorts): Promise<RepackOutcome> {
  const snapshot = await lookAtHerd(ports)
  const cost = boundOf({ snapshot, ...plan(snapshot) }, await ports.solver(), ports.budget)
  const proposal: Proposal = { kind: 'proposal', atMs: snapshot.nowMs, cost }
  const { applied } = await ports.store.write({
    kind: 'put',
    item: { ...keys.proposal(), ...proposal },
    when: [below('atMs', proposal.atMs)],
  })
  const outcome = { ...cost, kept: applied }
  ports.log.info('looked at the whole herd', outcome)
  return outcome
}
