/**
 * Brakes on buying: while an image and suite fail every machine of a pool, one is tried at a time.
 *
 * Judged by what becomes of nodes alone. Five that failed one after the other, with none in between
 * that passed, are half of the last ten however one counts; from there on no two machines of that
 * pool, image and suite that were bought since may be in their burn-in together. It is over when
 * any of them passes, when none has failed for a window, or when a person has released the brake.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Node } from '#shared/model/node.ts'
import type { Change } from '#shared/store/store.ts'
import { makeIsReleased } from './brakes.ts'
import { kindOf, nodeOf } from './items.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = '12 brakes on buying'
const FAILURES = 5
/** A pass that dies may count a failure a little before it is seen here. */
const WINDOW_MS = LIMITS.brakeWindowMs - 60_000
/** So old a spec is known to whoever bought for it. */
const SPEC_MS = 60_000

type Series = { readonly failed: Map<string, number>; trippedAtMs: number }

export function makeBuyingBrakes({ truth, books }: Knowledge): Rule {
  const series = new Map<string, Series>()
  const isReleased = makeIsReleased(truth)

  const fail = (node: Node): void => {
    const key = keyOf(node)
    const atMs = node.phaseSinceMs
    if (isReleased(node.pool, atMs)) {
      series.delete(key)
      return
    }
    const old = series.get(key)
    const own = old !== undefined && isOn(old, atMs) ? old : newSeries()
    series.set(key, own)
    own.failed.set(node.machine?.instanceId ?? '', atMs)
    if (own.failed.size >= FAILURES) own.trippedAtMs = Math.min(own.trippedAtMs, atMs)
  }
  const judgeTest = (node: Node, atMs: number): Breach | undefined => {
    const own = series.get(keyOf(node))
    if (own === undefined || !isOn(own, atMs) || isReleased(node.pool, atMs)) return undefined
    const spec = books.pools.get(node.pool)
    const isTrial = (one: Node): boolean =>
      one.adoptedAtMs === undefined &&
      one.createdAtMs >= own.trippedAtMs &&
      one.createdAtMs - (spec?.updatedAtMs ?? Infinity) > SPEC_MS
    if (!isTrial(node)) return undefined
    const others = [...books.nodesOfPool(node.pool)].filter(
      (one) =>
        one.phase === 'testing' &&
        one.name !== node.name &&
        keyOf(one) === keyOf(node) &&
        isTrial(one),
    )
    if (others.length === 0) return undefined
    const names = [node, ...others].map((one) => one.name).join(', ')
    const failed = `${String(own.failed.size)} in a row failed with ${keyOf(node)}`
    const text = `${failed}, and ${names} are tried`
    return { rule: RULE, text }
  }
  const judge = ({ before, after }: Change, atMs: number): Breach | undefined => {
    const [was, is] = [nodeOf(before), nodeOf(after)]
    if (was === undefined || is?.machine === undefined) return undefined
    if (was.phase === 'testing') {
      if (is.phase === 'ready') series.delete(keyOf(is))
      if (is.phase === 'quarantined' && !isRefused(is)) fail(is)
    }
    const begins = was.phase === 'booting' && is.phase === 'testing'
    return begins ? judgeTest(is, atMs) : undefined
  }
  return {
    see: {
      write: ({ atMs, changes }) =>
        firstOf(changes, (change) =>
          kindOf(change.key) === 'node' ? judge(change, atMs) : undefined,
        ),
    },
  }
}

const newSeries = (): Series => ({ failed: new Map(), trippedAtMs: Infinity })

/** What is asked in short, of GPUs that passed the whole lately, counts as the whole. */
const keyOf = ({ pool, machine, burnIn }: Node): string =>
  [pool, machine?.imageId ?? '', burnIn?.whole ?? burnIn?.suite ?? ''].join(' ')

const isOn = ({ failed }: Series, atMs: number): boolean =>
  atMs - Math.max(...failed.values()) < WINDOW_MS

/** Its hardware was known to be bad: nothing was tested. */
const isRefused = ({ burnIn }: Node): boolean =>
  burnIn?.checks.length === 1 && burnIn.checks[0]?.name === 'hardware'
