/**
 * Looks for groups of machines to buy and to empty, so that the same work costs less.
 *
 * Column generation gives the target: what each replica is worth, and which machines the cheapest
 * fleet would have. Local search turns that into few moves: guesses say which nodes might go
 * together (`hunt.ts`), and the planner itself where their work would go, and what to buy for it
 * from the machines of the target. Every group found is taken as begun, so the next one is sought
 * in the herd that will be.
 */
import { must } from '../../base/assert.ts'
import { jsonBytes } from '../../base/bytes.ts'
import { onceFor } from '../../base/remembered.ts'
import { sum } from '../../base/sum.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Node } from '../../model/node.ts'
import type { RepackRefusal } from '../../model/proposal.ts'
import type { RepackGroup, RepackLaunch, RepackReason } from '../../model/repack.ts'
import type { PlannedLaunch } from '../actions.ts'
import { askerKey, carriedBy, priceNow, sortNamed, type Planned } from '../bound.ts'
import { openBrakes } from '../brake.ts'
import { makeIds, type IdMaker } from '../ids.ts'
import { generate, type GenerateBudget, type Generated } from '../packing/generate.ts'
import type { Solver } from '../packing/linear-program.ts'
import type { PackingProblem } from '../packing/problem.ts'
import type { WorthOf } from '../provision/provision-context.ts'
import type { Snapshot } from '../snapshot.ts'
import { DRAIN_FOR, liveGroups } from './groups.ts'
import { openGuess, type Sorts } from './guess.ts'
import { budgetOf, dueOf, herdOf, holdBefore, isForMoney, type Herd } from './herd.ts'
import { openHunt, type Candidate, type HuntContext } from './hunt.ts'
import {
  calmOf,
  marketFor,
  nearCheapest,
  openRisk,
  sortOf,
  type Allows,
  type Risk,
} from './market.ts'
import { dollars, gainOf, isWorthIt, movesOff, savingOf } from './saving.ts'
import {
  after,
  groundOf,
  settled,
  tryShifted,
  type Ground,
  type Trial,
  type Without,
} from './trial.ts'
import { makeWorkOn, valued, type Valued } from './worth.ts'

export type SearchBudget = {
  /** Nodes looked at in all trials together: a trial looks at every node of the herd. */
  readonly trialNodesMax: number
  /** Groups whose saving is guessed, in all. */
  readonly guessesMax: number
}

/** Half a minute or so on one core, as the rest of a look. */
export const SEARCH_BUDGET: SearchBudget = { trialNodesMax: 600_000, guessesMax: 60_000 }

export type Found = {
  readonly groups: readonly RepackGroup[]
  readonly refused: readonly RepackRefusal[]
  readonly boundUsdPerHour: number
}

/** Of what a group wastes, so much saved is as good as it gets: other ways are not looked at. */
const GOOD = 0.7
/** Trials less than this make no search. */
const TRIALS_MIN = 24

type Search = {
  readonly herd: Herd
  readonly ids: IdMaker
  readonly worthOf: WorthOf
  /** Machines of the target, and all that are worth buying at all, as `<type> <capacity type>`. */
  readonly target: ReadonlySet<string>
  readonly useful: ReadonlySet<string>
  readonly groups: RepackGroup[]
  groupBytes: number
  readonly refused: RepackRefusal[]
  ground: Ground
  trialsLeft: number
  readonly taken: Set<string>
  /** By node: USD an hour beyond what its work is worth. */
  readonly waste: ReadonlyMap<string, number>
  readonly risk: Risk
  readonly isNear: Allows
  /** By reason and risk. */
  readonly markets: Map<string, readonly Market[]>
}

export function searchGroups(
  planned: Planned,
  solver: Solver,
  budget: GenerateBudget & SearchBudget,
): Found {
  const { snapshot, draft } = planned
  const carried = carriedBy(planned)
  const { problem } = carried
  const generated = problem.shapes.length === 0 ? NOTHING : generate(problem, solver, budget)
  const herd = herdOf(snapshot, draft)
  const nodes = [...draft.nodes.values()]
  const workOn = makeWorkOn(herd, carried)
  const values = valued(nodes, herd, { workOn, worth: generated.worth })
  const trials = Math.floor(budget.trialNodesMax / Math.max(1, nodes.length))
  const search: Search = {
    ...{ herd, ids: makeIds(snapshot.pass.epoch), groups: [], groupBytes: 0 },
    ...{ refused: [], markets: new Map() },
    waste: new Map(values.map((own) => [own.node.name, own.wasteUsdPerHour])),
    ...machinesOf(problem, generated),
    ...{ risk: openRisk(snapshot), isNear: nearCheapest(snapshot.offerings) },
    worthOf: ({ target, capacity }) => {
      const shape = carried.shapeOf.get(askerKey(target.workload.uid, capacity))
      return shape === undefined ? undefined : generated.worth[shape]
    },
    ground: settled(groundOf({ snapshot, draft, brakes: openBrakes(snapshot), shortages: [] })),
    trialsLeft: Math.max(TRIALS_MIN, trials),
    taken: new Set(liveGroups(draft).flatMap((own) => own.mark.retire)),
  }
  replaceDue(search, nodes)
  const { draft: going } = search.ground
  const { worth } = generated
  const sortsFor = openSorts(search)
  const guess = openGuess({ snapshot, draft: going, problem, workOn, worth, sortsFor })
  saveMoney(search, values, { guess, guessesMax: budget.guessesMax })
  return {
    groups: search.groups,
    refused: search.refused.slice(0, LIMITS.repackRefusalsMax),
    boundUsdPerHour: generated.boundUsdPerHour,
  }
}

const NOTHING: Generated = {
  ...{ patterns: [], uses: new Float64Array(), worth: new Float64Array(), boundUsdPerHour: 0 },
}

function machinesOf(
  { machines }: PackingProblem,
  { patterns, uses }: Generated,
): Pick<Search, 'target' | 'useful'> {
  const used = patterns.flatMap(({ machine }, i) =>
    (uses[i] ?? 0) > 0 ? [sortNamed(machines[machine]?.name ?? '')] : [],
  )
  return { target: new Set(used), useful: new Set(machines.map((own) => sortNamed(own.name))) }
}

/** Nodes that are too old, or not of their pool's kind any more: one by one, whatever it costs. */
function replaceDue(search: Search, nodes: readonly Node[]): void {
  for (const node of nodes) {
    const reason = dueOf(node, search.herd)
    if (reason === undefined || isFull(search)) continue
    const held = holdBefore(node, reason, search.herd)
    const alone = { retire: [node], shift: [] }
    const option = held === undefined ? bestFor(search, alone, reason) : undefined
    search.taken.add(node.name)
    if (option !== undefined) take(search, option, reason)
    else refuse(search, node, held?.reason ?? NO_PLACE)
  }
}

const NO_PLACE = { code: 'NoRoom', text: 'nothing can be bought for its work just now' }
const NOTHING_CHEAPER = { code: 'NothingCheaper', text: 'nothing that may be bought is cheaper' }

function isFull({ groups, groupBytes, trialsLeft }: Search): boolean {
  const { repackGroupsMax, repackGroupsBytesMax } = LIMITS
  return trialsLeft <= 0 || groups.length >= repackGroupsMax || groupBytes >= repackGroupsBytesMax
}

type Guessing = Pick<HuntContext, 'guess' | 'guessesMax'>

function saveMoney(search: Search, all: readonly Valued[], guessing: Guessing): void {
  const { herd, taken } = search
  const open = all.filter(({ node, wasteUsdPerHour }) => {
    if (taken.has(node.name)) return false
    const held = holdBefore(node, 'Cheaper', herd)
    const isWasteful = wasteUsdPerHour >= LIMITS.repackLeastUsdPerHour
    if (held !== undefined && isWasteful) refuse(search, node, held.reason)
    return held === undefined
  })
  // What has been let go of lately is another matter: it stops nobody for long.
  const calm = openBrakes({ ...search.ground.snapshot, brakes: [] })
  const isUnbraked = (retire: readonly Node[]): boolean =>
    calm.mayCondemn(retire, DRAIN_FOR.Cheaper) === undefined
  const hunt = openHunt({
    ...{ ...guessing, herd, open },
    mayGo: (retire) => isInBudget(retire, herd) && isUnbraked(retire),
  })
  for (let own = hunt.next(); own !== undefined && !isFull(search); own = hunt.next()) {
    const option = bestFor(search, own, 'Cheaper')
    if (option === undefined || !isEnough(search, option, 'Cheaper')) continue
    take(search, option, option.trial.launches.length === 0 ? 'Underused' : 'Cheaper')
    hunt.took(own.retire, search.ground.draft)
  }
  for (const { node, wasteUsdPerHour } of open) {
    if (taken.has(node.name) || wasteUsdPerHour < LIMITS.repackLeastUsdPerHour) continue
    refuse(search, node, NOTHING_CHEAPER)
  }
}

function refuse({ refused }: Search, node: Node, reason: RepackRefusal['reason']): void {
  refused.push({ retire: [node.name], reason })
}

/** What is tried, and what the planner would do then. */
type Option = Candidate & {
  readonly trial: Extract<Trial, { fits: true }>
  readonly savingUsdPerHour: number
  readonly moves: number
  /** Saving less the cost of moving. */
  readonly gain: number
}

/** True where nearly all that could be saved is: there is little more to look for. */
function isGood(search: Search, option: Option): boolean {
  const waste = sum(option.retire.map((own) => search.waste.get(own.name) ?? 0))
  return isEnough(search, option, 'Cheaper') && option.gain >= GOOD * waste
}

/** Their pools let so many go at once. */
function isInBudget(retire: readonly Node[], herd: Herd): boolean {
  return retire.every(
    ({ pool }) => retire.filter((own) => own.pool === pool).length <= budgetOf(pool, herd),
  )
}

/** The cheapest way found to do without the nodes; undefined where there is none. */
function bestFor(
  search: Search,
  { retire, shift }: Candidate,
  reason: RepackReason,
): Option | undefined {
  const { ground, ids, worthOf } = search
  const names = retire.map(({ name }) => name)
  const moves = movesOff({ retire: names, shift: [...shift] }, search.herd.draft)
  let best: Option | undefined
  for (const own of marketsFor(search, retire, reason)) {
    if (search.trialsLeft <= 0 || (best !== undefined && isGood(search, best))) break
    search.trialsLeft -= 1
    const trial = tryShifted(ground, shift, { ...own, retire: names, ids, worthOf })
    if (!trial.fits) continue
    const deal = { retire, launchUsdPerHour: trial.usdPerHour, moves }
    const { snapshot } = ground
    const [savingUsdPerHour, gain] = [savingOf(deal, snapshot), gainOf(deal, snapshot)]
    if (best !== undefined && gain <= best.gain) continue
    best = { retire, shift, trial, savingUsdPerHour, moves, gain }
  }
  return best
}

type Market = Pick<Without, 'allows' | 'market'>

/** What may be bought for the nodes: what the target has; last and widest, whatever is useful. */
function marketsFor(
  search: Search,
  retire: readonly Node[],
  reason: RepackReason,
): readonly Market[] {
  const { snapshot } = search.ground
  const risk = search.risk({ retire, reason })
  const key = `${reason} ${String(risk)}`
  const known = search.markets.get(key)
  if (known !== undefined) return known
  const isCalm = calmOf(snapshot, risk)
  const made = tastesOf(search, reason).map((isWanted): Market => {
    const allows: Allows = (own) => isCalm(own) && isWanted(own)
    return { allows, market: marketFor(snapshot.offerings, allows) }
  })
  search.markets.set(key, made)
  return made
}

function tastesOf({ target, useful, isNear }: Search, reason: RepackReason): readonly Allows[] {
  if (!isForMoney(reason)) return [() => true]
  return [target, useful].map(
    (sorts): Allows =>
      (own) =>
        sorts.has(sortOf(own)) && isNear(own),
  )
}

/** Sorts of machines that may be bought in place of nodes to save money. */
function openSorts(search: Search): (retire: readonly Node[]) => Sorts {
  const { offerings } = search.herd.snapshot
  const sortsOf = onceFor(
    ({ allows }: Market): Sorts => new Set(offerings.filter(allows).map(sortOf)),
  )
  return (retire) => sortsOf(must(marketsFor(search, retire, 'Cheaper').at(-1), 'a market'))
}

function isEnough({ ground }: Search, option: Option, reason: RepackReason): boolean {
  const { retire, trial, moves } = option
  const deal = { retire, launchUsdPerHour: trial.usdPerHour, moves }
  return isWorthIt(deal, reason, ground.snapshot)
}

function take(search: Search, option: Option, reason: RepackReason): void {
  const { trial, savingUsdPerHour, moves } = option
  const names = option.retire.map((own) => own.name).sort()
  const [first = ''] = names
  const group: RepackGroup = {
    id: names.length === 1 ? first : `${first}+${String(names.length - 1)}`,
    reason,
    launch: trial.launches.flatMap((own) => launchesOf(own, search.ground.snapshot)),
    retire: names,
    shift: [...option.shift],
    savingUsdPerHour: dollars(savingUsdPerHour),
    moves,
  }
  search.groups.push(group)
  search.groupBytes += jsonBytes(group)
  for (const name of names) search.taken.add(name)
  search.ground = after(search.ground, names, trial)
}

function launchesOf(
  { claims, pool, capacityType }: PlannedLaunch,
  snapshot: Snapshot,
): readonly RepackLaunch[] {
  return claims.map((own) => ({
    ...{ pool, capacityType, places: own.claim.places.slice(0, LIMITS.repackPlacesMax) },
    usdPerHour: dollars(priceNow(own, snapshot)),
    boughtFor: own.claim.boughtFor ?? [],
  }))
}
