/**
 * Runs every `*.txt` beside this file: a few lines of world, `plan`, and the plan that follows;
 * `look`, and what a repack would propose; `cost`, and what the herd costs; and a few more.
 *
 * After each `plan` its item changes are taken into the world, so a scenario can go on.
 */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { blame, evidenceOf } from '#shared/planner/observe/blame.ts'
import { fleetCost, priceNow } from '#shared/planner/bound.ts'
import { costLines } from '#shared/planner/cost-lines.ts'
import { changedItems, draftOf } from '#shared/planner/fold.ts'
import { plan } from '#shared/planner/plan.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import { SEARCH_BUDGET, searchGroups } from '#shared/planner/repack/search.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import {
  describeBlame,
  describeConditions,
  describeCost,
  describePlan,
  describeProposal,
  describeRollouts,
} from './describe.ts'
import { testScenarios } from './retell.ts'
import { rescale } from './scale-verbs.ts'
import { newWorld, tell, type World } from './world.ts'

const solver = await loadSolver()

/** Lines that have an answer. */
const answers: Readonly<Record<string, (world: World) => string[]>> = {
  plan: step,
  /** `autoscale` looks, and what it says stands from then on. */
  scale: rescale,
  /** Where each roll-out stands. */
  rollouts: (world) => describeRollouts(world.workloadStatuses),
  /** What people are told of each workload. */
  conditions: (world) => describeConditions(world.workloadStatuses),
  /** Whose fault it is, by what the herd remembers. */
  blame: (world) => {
    const assignments = new Map(world.assignments.map((own) => [own.node, own]))
    const herd = world.nodes.map((node) => ({ node, assignment: assignments.get(node.name) }))
    return describeBlame(blame(evidenceOf(herd, world.workloadStatuses)))
  },
  /** `repack` looks at the herd, and its proposal stands until the next look. */
  look: (world) => {
    const budget = { ...BUDGETS['5s'], ...SEARCH_BUDGET }
    const { proposal: _, ...snapshot } = world
    const found = searchGroups({ snapshot, ...plan(snapshot) }, solver, budget)
    const cost = { boundUsdPerHour: found.boundUsdPerHour, fleetUsdPerHour: 0 }
    const [groups, refused] = [[...found.groups], [...found.refused]]
    world.proposal = { kind: 'proposal', atMs: world.nowMs, cost, groups, refused }
    return describeProposal(world.proposal)
  },
  /** What the herd costs as it stands, the fleet apart from what stands beside it. */
  cost: (world) => {
    const herd = { snapshot: world, draft: draftOf(world) }
    return describeCost(
      fleetCost(herd),
      costLines(herd, (node) => priceNow(node, world)),
    )
  },
}

function step(world: World): string[] {
  const made = plan(world)
  expect(JSON.parse(JSON.stringify(made.plan))).toEqual(made.plan)
  expect(plan(world).plan).toEqual(made.plan)
  const { nodes, assignments, removed } = changedItems(draftOf(world), made.draft)
  const gone = new Set(removed.map(({ node }) => node.name))
  const keep = <T>(old: readonly T[], fresh: readonly T[], name: (item: T) => string): T[] => {
    const names = new Set(fresh.map(name))
    const kept = old.filter((own) => !names.has(name(own)) && !gone.has(name(own)))
    return [...kept, ...fresh].sort((a, b) => (name(a) < name(b) ? -1 : 1))
  }
  world.nodes = keep(world.nodes, nodes, (own) => own.name)
  world.assignments = keep(world.assignments, assignments, (own) => own.node)
  world.workloadStatuses = [...made.plan.workloadStatuses]
  world.poolStatuses = [...made.plan.poolStatuses]
  world.teamStatuses = [...made.plan.teamStatuses]
  world.shortages.push(...made.plan.shortages)
  for (const brake of made.plan.brakes) {
    world.brakes = [...world.brakes.filter((own) => own.pool !== brake.pool), brake]
  }
  return describePlan(made.plan)
}

await testScenarios(dirname(fileURLToPath(import.meta.url)), () => {
  const world = newWorld()
  return (line) => {
    const answer = answers[line]
    if (answer !== undefined) return answer(world).map(versionsNamed(world))
    tell(world, line)
    return undefined
  }
})

/** Versions by the numbers of their revisions: a hash is another whenever templates are. */
function versionsNamed({ revisions }: World): (text: string) => string {
  const numbers = new Map(revisions.map((own) => [own.version, `v${String(own.number)}`]))
  return (text) => text.replace(/\b[0-9a-f]{12}\b/g, (version) => numbers.get(version) ?? version)
}
