/**
 * The auditor: an observer that knows DESIGN's rules and nothing of drover's insides.
 *
 * It hears every act at the ports and may ask the world what is true. Each group of rules is a file
 * of its own with its own arithmetic; shared are only the books of the table and what each open
 * pass has read. Nothing here imports what it judges.
 */
import type { DroverEvent } from '#shared/model/event.ts'
import type { Auditor, Seen, Truth, Violation } from '../traffic.ts'
import { makeAdmission } from './admission.ts'
import { makeBooks } from './books.ts'
import { makeBrakes } from './brakes.ts'
import { makeBuyingBrakes } from './buying-brakes.ts'
import { makeConvergence } from './convergence.ts'
import { makeData } from './data.ts'
import { makeDependencies } from './dependencies.ts'
import { makeEnds } from './ends.ts'
import { makeFailures } from './failures.ts'
import { makeFence } from './fence.ts'
import { makeGangHolds } from './gang-holds.ts'
import { makeGangs } from './gangs.ts'
import { makeGenerations } from './generations.ts'
import { makeHeadroom } from './headroom.ts'
import { makeKnownHardware } from './known-hardware.ts'
import { makeLaunchLog } from './launch-log.ts'
import { makeLaunches } from './launches.ts'
import { makeLedger } from './ledger.ts'
import { makeLeftovers } from './leftovers.ts'
import { makeLiars } from './liars.ts'
import { makeMending } from './mending.ts'
import { makeOnDemand } from './on-demand.ts'
import { makeOrphans } from './orphans.ts'
import { makePasses } from './passes.ts'
import { makeProcesses } from './processes.ts'
import { makeReclaim } from './reclaim.ts'
import { makeRepack } from './repack.ts'
import { makeRollouts } from './rollouts.ts'
import { makeRevisions } from './revisions.ts'
import { makeRoom } from './room.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import { makeScaling } from './scaling.ts'
import { makeSeenInTime } from './seen-in-time.ts'
import { makeServices } from './services.ts'
import { makeSightings } from './sightings.ts'
import { makeSilence } from './silence.ts'
import { makeTopology } from './topology.ts'
import { makeWriters } from './writers.ts'

/** Decisions kept for whoever asks what led to a violation. */
const DECISIONS_MAX = 500

export function makeAuditor(truth: Truth): Auditor {
  const books = makeBooks(truth)
  const passes = makePasses(truth)
  const liars = makeLiars(truth, books)
  const sightings = makeSightings(truth, books)
  const rules = makeRules({ truth, books, passes }, { liars, sightings })
  const hearers = hearersOf(rules)
  const decisions: DroverEvent[] = []

  return {
    see: (seen) => {
      passes.take(seen)
      if (seen.kind === 'write') {
        books.take(seen.changes)
        liars.hear(seen)
      } else if (seen.kind === 'list') sightings.hear(seen)
      else if (seen.kind === 'decided') remember(decisions, seen.events)
      const breach = hearAll(hearers[seen.kind], seen)
      passes.settle(seen)
      return violation(breach, seen.atMs)
    },
    full: () => {
      const breach = books.compare() ?? firstOf(rules, (rule) => rule.full?.())
      return violation(breach, truth.nowMs())
    },
    unsettled: () => rules.flatMap((rule) => rule.unsettled?.() ?? []),
    decisions: () => decisions.slice(-DECISIONS_MAX),
  }
}

type Witnesses = {
  readonly liars: ReturnType<typeof makeLiars>
  readonly sightings: ReturnType<typeof makeSightings>
}

/** In the order in which what they find is told, the worst first. */
function makeRules(knowledge: Knowledge, { liars, sightings }: Witnesses): readonly Rule[] {
  const log = makeLaunchLog()
  return [
    makeConvergence(knowledge),
    makeOnDemand(knowledge),
    makeOrphans(knowledge),
    makeLeftovers(knowledge),
    makeHeadroom(knowledge),
    makeFence(knowledge),
    makeWriters(knowledge),
    makeLaunches(knowledge, log),
    makeAdmission(knowledge),
    makeTopology(knowledge),
    makeProcesses(knowledge),
    makeKnownHardware(knowledge),
    makeMending(knowledge),
    makeRoom(knowledge, liars),
    makeGenerations(knowledge),
    makeLedger(knowledge),
    makeSilence(knowledge),
    makeBrakes(knowledge, log),
    makeBuyingBrakes(knowledge),
    makeEnds(knowledge, { liars, log, sightings }),
    makeSeenInTime(knowledge),
    makeReclaim(knowledge),
    makeRepack(knowledge),
    makeRevisions(knowledge),
    makeRollouts(knowledge),
    makeFailures(knowledge),
    makeDependencies(knowledge),
    makeScaling(knowledge),
    makeGangs(knowledge, liars),
    makeGangHolds(knowledge),
    makeServices(knowledge),
    makeData(knowledge),
  ]
}

type Hearer = (seen: Seen) => Breach | undefined
type Hearers = { readonly [K in Seen['kind']]: readonly Hearer[] }

const KINDS: readonly Seen['kind'][] = [
  'begun',
  'over',
  'scan',
  'write',
  'launch',
  'terminate',
  'reboot',
  'list',
  'impaired',
  'balance',
  'targets',
  'decided',
  'process',
]

function hearersOf(rules: readonly Rule[]): Hearers {
  const entries = KINDS.map((kind) => [
    kind,
    rules.flatMap(({ see, each }) => [see?.[kind] ?? [], each ?? []].flat()),
  ])
  return Object.fromEntries(entries) as Hearers
}

/** Everybody hears it, though the first breach is the one that is told. */
function hearAll(hearers: readonly Hearer[], seen: Seen): Breach | undefined {
  let found: Breach | undefined
  for (const hear of hearers) {
    const breach = hear(seen)
    found ??= breach
  }
  return found
}

function violation(breach: Breach | undefined, atMs: number): Violation | undefined {
  return breach === undefined ? undefined : { ...breach, atMs }
}

function remember(decisions: DroverEvent[], events: readonly DroverEvent[]): void {
  decisions.push(...events)
  if (decisions.length > 2 * DECISIONS_MAX) decisions.splice(0, decisions.length - DECISIONS_MAX)
}
