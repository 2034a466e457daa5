/**
 * The brake on bad images and suites: while a make is in doubt, its machines are bought one by one.
 *
 * It trips when three of a make have failed their burn-in, and half of the last ten. What works
 * stays. It lets go when a machine that was bought since has passed, when none has failed for a
 * window, or when a person says so; then what failed before is forgotten. A machine that is refused
 * because its GPU is known to be bad says nothing of its make.
 */
import { groupBy } from '../../base/order.ts'
import { HARDWARE_RESULT } from '../../model/burn-in.ts'
import type { MakeRecord } from '../../model/facts.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Node } from '../../model/node.ts'
import type { CheckResult } from '../../model/verdict.ts'
import type { Action } from '../actions.ts'
import { poolsByName } from '../facts.ts'
import type { Snapshot } from '../snapshot.ts'
import { describeMake, makeKey, makeOfMachine, type Make } from './make.ts'

/** How a burn-in ended in this plan. */
export type Ending = {
  readonly node: Node
  readonly make: Make
  readonly instanceId: string
  readonly passed: boolean
  /** Somebody knew its hardware: nothing was tested. */
  readonly isRefused: boolean
  readonly usdPerHour: number
  readonly windowMs: number
}

/** The burn-ins that the actions bring to an end. */
export function endingsOf(snapshot: Snapshot, actions: readonly Action[]): readonly Ending[] {
  const found = actions.flatMap((action) => endingOf(action) ?? [])
  if (found.length === 0) return []
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]))
  const pools = poolsByName(snapshot.pools)
  return found.flatMap(({ name, passed, checks }): Ending[] => {
    const node = nodes.get(name)
    const machine = node?.machine
    if (node === undefined || machine === undefined) return []
    const { startedAtMs = 0, deadlineMs = 0 } = node.burnIn ?? {}
    // An attempt may be one of many: tries again, rungs of the ladder, the whole suite at last.
    const testMs = Math.max(deadlineMs - startedAtMs, snapshot.nowMs - node.phaseSinceMs)
    const trialMs = snapshot.settings.bootDeadlineMs + testMs
    return [
      {
        ...{ node, passed, isRefused: checks.length === 1 && checks[0]?.name === HARDWARE_RESULT },
        make: makeOfMachine(node, machine, pools.get(node.pool)),
        instanceId: machine.instanceId,
        usdPerHour: machine.priceUsdPerHour,
        windowMs: Math.max(LIMITS.brakeWindowMs, trialMs),
      },
    ]
  })
}

type Told = {
  readonly name: string
  readonly passed: boolean
  readonly checks: readonly CheckResult[]
}

function endingOf(action: Action): Told | undefined {
  if (action.kind === 'terminate' && action.reason.code === 'BurnInGaveUp') {
    return { name: action.node, passed: false, checks: [] }
  }
  if (action.kind !== 'advance') return undefined
  if (action.reason.code === 'Admitted') return { name: action.node, passed: true, checks: [] }
  if (action.to !== 'quarantined') return undefined
  return { name: action.node, passed: false, checks: action.changes.burnIn?.checks ?? [] }
}

/** What is remembered of a make, and what follows. */
export type MakeState = {
  readonly make: Make
  /** Undefined where there is nothing left to remember. */
  readonly record: MakeRecord | undefined
  /** What to tell people: it was none of this before. */
  readonly news?: { readonly code: 'BrakeTripped' | 'BrakeEnded'; readonly text: string }
  /** When it may be another by itself. */
  readonly endsMs?: number
}

export type MakeContext = {
  readonly nowMs: number
  /** Until when a person has lifted the pool's brake. */
  readonly releasedUntilMs: number | undefined
  /** True while a machine of the make that was bought since has not shown what it is. */
  readonly isOnTrial: (make: Make, sinceMs: number) => boolean
}

/** A pool's makes as they stand now, those tested last in front. */
export function makesOf(
  pool: string,
  { known, endings }: { known: readonly MakeRecord[]; endings: readonly Ending[] },
  context: MakeContext,
): readonly MakeState[] {
  const fresh = groupBy(endings, (own) => makeKey(own.make))
  const old = new Map(known.map((own) => [makeKey({ pool, ...own }), own]))
  const makes = new Map<string, Make>()
  for (const { make } of endings) makes.set(makeKey(make), make)
  for (const { imageId, suite } of known) {
    const make = { pool, imageId, suite }
    makes.set(makeKey(make), make)
  }
  return [...makes]
    .slice(0, LIMITS.makesKept)
    .map(([key, make]) => stateOf(make, { old: old.get(key), fresh: fresh.get(key) }, context))
}

type Facts = {
  readonly old: MakeRecord | undefined
  readonly fresh: readonly Ending[] | undefined
}

function stateOf(make: Make, { old, fresh = [] }: Facts, context: MakeContext): MakeState {
  const { nowMs, releasedUntilMs } = context
  const tested = fresh.filter((own) => !own.isRefused)
  const record = withOutcomes(make, { old, tested }, nowMs)
  const failed = record.outcomes.filter((own) => !own.passed)
  const quietAtMs = Math.max(...failed.map((own) => own.atMs)) + record.windowMs
  const sinceMs = old?.trippedAtMs
  if (sinceMs !== undefined) {
    const why = whyEnded(make, tested, { sinceMs, quietAtMs, context })
    if (why === undefined) return { make, record, endsMs: quietAtMs }
    const { trippedAtMs: _, ...calm } = record
    const outcomes = record.outcomes.filter((own) => own.passed)
    const text = `machines with ${describeMake(make)} are bought freely again: ${why}`
    const kept = outcomes.length === 0 ? undefined : { ...calm, outcomes }
    return { make, record: kept, news: { code: 'BrakeEnded', text } }
  }
  if (record.outcomes.length === 0) return { make, record: undefined }
  if (!isInDoubt(record) || nowMs >= quietAtMs) return { make, record }
  if (releasedUntilMs !== undefined) return { make, record, endsMs: releasedUntilMs }
  const tripped = { ...record, trippedAtMs: nowMs }
  const news = { code: 'BrakeTripped' as const, text: describeDoubt(make, tripped) }
  return { make, record: tripped, news, endsMs: quietAtMs }
}

/** Each instance counts once, by what came of it last. */
function withOutcomes(
  { imageId, suite }: Make,
  { old, tested }: { old: MakeRecord | undefined; tested: readonly Ending[] },
  nowMs: number,
): MakeRecord {
  const again = new Set(tested.map((own) => own.instanceId))
  const kept = (old?.outcomes ?? []).filter(
    (own) => nowMs - own.atMs < LIMITS.makeMemoryMs && !again.has(own.instanceId),
  )
  const fresh = tested.map(({ instanceId, passed }) => ({ instanceId, passed, atMs: nowMs }))
  const windows = tested.flatMap((own) => (own.passed ? [] : own.windowMs))
  return {
    ...(imageId === undefined ? {} : { imageId }),
    suite,
    outcomes: [...kept, ...fresh].slice(-LIMITS.makeOutcomesKept),
    windowMs: Math.max(...(windows.length > 0 ? windows : [old?.windowMs ?? 0])),
    ...(old?.trippedAtMs === undefined ? {} : { trippedAtMs: old.trippedAtMs }),
  }
}

function isInDoubt({ outcomes }: MakeRecord): boolean {
  const failed = outcomes.filter((own) => !own.passed).length
  return failed >= LIMITS.makeFailuresLeast && 2 * failed >= outcomes.length
}

type Tripped = {
  readonly sinceMs: number
  readonly quietAtMs: number
  readonly context: MakeContext
}

function whyEnded(
  make: Make,
  tested: readonly Ending[],
  { sinceMs, quietAtMs, context }: Tripped,
): string | undefined {
  if (context.releasedUntilMs !== undefined) return 'a person has released the brake'
  // What was bought before may be the lucky part of a batch that is otherwise bad.
  const trial = tested.find((own) => own.passed && own.node.createdAtMs >= sinceMs)
  if (trial !== undefined) return `${trial.node.name} has passed`
  const isQuiet = context.nowMs >= quietAtMs && !context.isOnTrial(make, sinceMs)
  return isQuiet ? 'none has failed for a while' : undefined
}

/** `3 of the last 4 machines with image ami-1 and suite basic#1a2b3c4d failed their burn-in` */
export function describeDoubt(make: Make, { outcomes }: MakeRecord): string {
  const failed = outcomes.filter((own) => !own.passed).length
  const counts = `${String(failed)} of the last ${String(outcomes.length)} machines`
  return `${counts} with ${describeMake(make)} failed their burn-in: they are bought one at a time`
}
