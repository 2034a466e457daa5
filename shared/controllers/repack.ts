/**
 * Looks at the whole herd with more work than a pass may take, and keeps what it finds.
 *
 * That is how little a fleet could cost that carries the same, beside what this one costs; and
 * which machines to empty, and to buy in their place, to come nearer to it. Nothing is decided
 * here: reconcile alone decides, on a newer snapshot.
 */
import type { Logger } from '../base/log.ts'
import type { Proposal } from '../model/proposal.ts'
import { fleetCost } from '../planner/bound.ts'
import type { GenerateBudget } from '../planner/packing/generate.ts'
import type { Solver } from '../planner/packing/linear-program.ts'
import { plan } from '../planner/plan.ts'
import { searchGroups, type SearchBudget } from '../planner/repack/search.ts'
import { scaled } from '../planner/scaling/scaled.ts'
import { keys } from '../store/keys.ts'
import { below, type Store } from '../store/store.ts'
import { lookAtHerd, type LookPorts } from './look.ts'

export type RepackPorts = LookPorts & {
  readonly store: Pick<Store, 'get' | 'scan' | 'write'>
  readonly solver: () => Promise<Solver>
  /** Work that one look may take. */
  readonly budget: GenerateBudget & SearchBudget
  readonly log: Logger
}

export type RepackOutcome = Proposal['cost'] & {
  /** Groups that it proposes. */
  readonly groups: number
  /** False where a look that began later has been kept already. */
  readonly kept: boolean
}

/** One look; throws StoreError or SolverError, and then what was found before stands. */
export async function repack(ports: RepackPorts): Promise<RepackOutcome> {
  // What was proposed last is proposed again if it still does any good.
  const { proposal: _, ...snapshot } = scaled(await lookAtHerd(ports))
  const planned = { snapshot, ...plan(snapshot) }
  const found = searchGroups(planned, await ports.solver(), ports.budget)
  const { groups, refused, boundUsdPerHour } = found
  const cost = { boundUsdPerHour, fleetUsdPerHour: fleetCost(planned) }
  const proposal: Proposal = {
    ...{ kind: 'proposal', atMs: snapshot.nowMs, cost },
    ...{ groups: [...groups], refused: [...refused] },
  }
  const { applied } = await ports.store.write({
    kind: 'put',
    item: { ...keys.proposal(), ...proposal },
    when: [below('atMs', proposal.atMs)],
  })
  const outcome = { ...cost, groups: groups.length, kept: applied }
  ports.log.info('looked at the whole herd', outcome)
  return outcome
}
