/**
 * Which nodes are worth a trial together, by guesses.
 *
 * First nodes one by one whose work fits into room that is paid for already, and those first whose
 * going brings most for each replica that has to move. Room that one takes is gone for the others,
 * so what they bring can only shrink, and a guess that is old is an upper bound. Then nodes whose
 * work finds room once one replica elsewhere has moved aside. Then groups for which something is
 * bought, of nodes that each waste more than their moves are reckoned to cost, for no purchase
 * saves more than is wasted: to the node that costs most beyond what its work is worth, the one
 * that saves most with it is joined, and again, and the best group on the way is tried.
 */
import { LIMITS } from '../../model/limits.ts'
import type { Node } from '../../model/node.ts'
import type { RepackShift } from '../../model/repack.ts'
import type { Draft } from '../fold.ts'
import type { Guess } from './guess.ts'
import type { Herd } from './herd.ts'
import { gainOf, isWorthIt, movesOff, type Deal } from './saving.ts'
import type { Valued } from './worth.ts'

export type HuntContext = {
  readonly herd: Herd
  readonly guess: Guess
  /** Nodes that may go, the most wasteful first. */
  readonly open: readonly Valued[]
  /** True where brakes and budgets let them all go at once. */
  readonly mayGo: (retire: readonly Node[]) => boolean
  /** Guesses, in all. */
  readonly guessesMax: number
}

/** Nodes to empty, and who moves aside for that. */
export type Candidate = {
  readonly retire: readonly Node[]
  readonly shift: readonly RepackShift[]
}

export type Hunt = {
  /** What to try next; undefined when nothing more is promising. */
  next(): Candidate | undefined
  /** The trial bore them out: they go, their work is where the draft has it, and stays there. */
  took(retire: readonly Node[], draft: Draft): void
}

/** The most nodes of a group, and those that are looked at to join it. */
const GROUP_MAX = 8
const NEIGHBOURS = 16
/** So many joined in a row without any gain end the search for more. */
const IN_VAIN_MAX = 2

type Lead = { readonly node: Node; score: number }

type State = HuntContext & {
  /** Names of the nodes that may go. */
  readonly isOpen: ReadonlySet<string>
  /** Those that waste more than their moves cost, the most first. */
  readonly wasteful: readonly Wasteful[]
  /** Nodes that go, or were tried and cannot. */
  readonly done: Set<string>
  guessesLeft: number
}

export function openHunt(context: HuntContext): Hunt {
  const { guess, open, guessesMax } = context
  const isOpen = new Set(open.map((own) => own.node.name))
  const state: State = {
    ...{ ...context, isOpen, done: new Set(), guessesLeft: guessesMax },
    wasteful: wastefulOf(context),
  }
  const leads = open
    .map(({ node }): Lead => ({ node, score: scoreOf(state, node) }))
    .filter((own) => own.score > 0)
    // The best last; of equals the most wasteful.
    .toReversed()
    .sort((a, b) => a.score - b.score)
  let shifts: Lead[] | undefined
  const seeds = state.wasteful.filter((own) => own.netUsdPerHour >= LIMITS.repackLeastUsdPerHour)
  return {
    next: () => {
      const alone = nextAlone(state, leads)
      if (alone !== undefined) return { retire: [alone], shift: [] }
      shifts ??= shiftLeads(state)
      const shifting = nextShift(state, shifts)
      if (shifting !== undefined) return shifting
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        if (state.done.has(seed.node.name) || state.guessesLeft <= 0) continue
        state.done.add(seed.node.name)
        const group = grow(state, seed.node)
        if (group !== undefined) return { retire: group, shift: [] }
      }
      return undefined
    },
    took: (retire, draft) => {
      const before = state.herd.draft.assignments
      for (const { name } of retire) state.done.add(name)
      for (const [name, own] of draft.assignments) {
        if (own !== before.get(name)) state.done.add(name)
      }
      guess.keep(draft)
    },
  }
}

/** `netUsdPerHour`: its waste, less what its moves are reckoned to cost. */
type Wasteful = { readonly node: Node; readonly netUsdPerHour: number }

function wastefulOf({ open, herd }: HuntContext): readonly Wasteful[] {
  return open
    .map(({ node, wasteUsdPerHour, priceUsdPerHour }): Wasteful => {
      const deal = dealOf({ herd }, { retire: [node], shift: [] })
      // Its like bought for it saves nothing and costs its moves.
      const moved = gainOf({ ...deal, launchUsdPerHour: priceUsdPerHour }, herd.snapshot)
      return { node, netUsdPerHour: wasteUsdPerHour + moved }
    })
    .filter((own) => own.netUsdPerHour > 0)
    .sort((a, b) => b.netUsdPerHour - a.netUsdPerHour)
}

/** What a node's going brings for each move; 0 where it is not worth them, or needs a purchase. */
function scoreOf(state: State, node: Node): number {
  state.guessesLeft -= 1
  if (!state.guess.hasRoomFor([node])) return 0
  const alone = groupOf(state, [node], 0)
  return isWorth(state, alone) ? alone.gain / (alone.deal.moves + 1) : 0
}

/** The best of the leads, which stand in order of what they promised when last guessed. */
function nextAlone(state: State, leads: Lead[]): Node | undefined {
  for (let lead = leads.pop(); lead !== undefined; lead = leads.pop()) {
    if (state.done.has(lead.node.name)) continue
    lead.score = scoreOf(state, lead.node)
    if (lead.score <= 0) continue
    if (lead.score >= (leads.at(-1)?.score ?? 0)) {
      state.done.add(lead.node.name)
      if (state.mayGo([lead.node])) return lead.node
      continue
    }
    insert(leads, lead)
  }
  return undefined
}

/** Nodes whose work has room once somebody has moved aside; who brings most for a move last. */
function shiftLeads(state: State): Lead[] {
  return state.open
    .flatMap(({ node }): Lead[] => {
      if (state.done.has(node.name)) return []
      const found = withShift(state, node)
      return found === undefined ? [] : [{ node, score: found.score }]
    })
    .sort((a, b) => a.score - b.score)
}

function nextShift(state: State, leads: Lead[]): Candidate | undefined {
  for (let lead = leads.pop(); lead !== undefined; lead = leads.pop()) {
    if (state.done.has(lead.node.name)) continue
    // Others may have taken meanwhile what was best for it.
    const found = withShift(state, lead.node)
    if (found === undefined) continue
    lead.score = found.score
    if (lead.score < (leads.at(-1)?.score ?? 0)) {
      insert(leads, lead)
      continue
    }
    state.done.add(lead.node.name)
    if (state.mayGo([lead.node])) return found.candidate
  }
  return undefined
}

type Shifting = { readonly candidate: Candidate; readonly score: number }

function withShift(state: State, node: Node): Shifting | undefined {
  if (state.guessesLeft <= 0) return undefined
  state.guessesLeft -= 1
  const { guess, isOpen, done } = state
  const mayShift = (name: string): boolean =>
    name !== node.name && isOpen.has(name) && !done.has(name)
  const aside = guess.asideFor(node, mayShift)
  if (aside === undefined) return undefined
  const { snapshot } = state.herd
  const candidate = { retire: [node], shift: [aside.shift] }
  const deal = { ...dealOf(state, candidate), launchUsdPerHour: aside.launchUsdPerHour }
  if (!isWorthIt(deal, 'Cheaper', snapshot)) return undefined
  return { candidate, score: gainOf(deal, snapshot) / deal.moves }
}

function dealOf({ herd }: Pick<State, 'herd'>, { retire, shift }: Candidate): Deal {
  const names = retire.map((own) => own.name)
  const moves = movesOff({ retire: names, shift: [...shift] }, herd.draft)
  return { retire, launchUsdPerHour: 0, moves }
}

function insert(leads: Lead[], lead: Lead): void {
  let [from, to] = [0, leads.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if ((leads[middle]?.score ?? 0) < lead.score) from = middle + 1
    else to = middle
  }
  leads.splice(from, 0, lead)
}

/** A deal as it would be if the guess were right. */
type Group = { readonly deal: Deal; readonly gain: number }

/** The best group around the seed, or it by itself; undefined where none is worth its moves. */
function grow(state: State, seed: Node): readonly Node[] | undefined {
  let group = guessed(state, [seed])
  let best = isWorth(state, group) ? group : undefined
  let [most, inVain] = [group.gain, 0]
  while (group.deal.retire.length < GROUP_MAX && inVain < IN_VAIN_MAX) {
    const next = bestJoined(state, group.deal.retire)
    if (next === undefined) break
    group = next
    inVain = group.gain > most ? 0 : inVain + 1
    most = Math.max(most, group.gain)
    if (group.gain > (best?.gain ?? 0) && isWorth(state, group)) best = group
  }
  return best === undefined ? undefined : withoutIdlers(state, best).deal.retire
}

function isWorth({ herd }: State, { deal }: Group): boolean {
  return isWorthIt(deal, 'Cheaper', herd.snapshot)
}

/** The group with the one that gains most with it, of those most wasteful. */
function bestJoined(state: State, retire: readonly Node[]): Group | undefined {
  const { wasteful, done, mayGo } = state
  const groups: Group[] = []
  for (const { node } of wasteful) {
    if (groups.length === NEIGHBOURS || state.guessesLeft <= 0) break
    if (done.has(node.name) || retire.includes(node)) continue
    groups.push(guessed(state, [...retire, node]))
  }
  return groups.sort((a, b) => b.gain - a.gain).find((own) => mayGo(own.deal.retire))
}

function guessed(state: State, retire: readonly Node[]): Group {
  state.guessesLeft -= 1
  return groupOf(state, retire, state.guess.costWithout(retire))
}

function groupOf(state: State, retire: readonly Node[], launchUsdPerHour: number): Group {
  const deal = { ...dealOf(state, { retire, shift: [] }), launchUsdPerHour }
  return { deal, gain: gainOf(deal, state.herd.snapshot) }
}

/** Who adds nothing to the gain stays where it is. */
function withoutIdlers(state: State, group: Group): Group {
  let best = group
  for (const node of group.deal.retire.slice(1)) {
    if (best.deal.retire.length < 3) break
    const fewer = guessed(
      state,
      best.deal.retire.filter((own) => own !== node),
    )
    if (fewer.gain >= best.gain) best = fewer
  }
  return best
}
