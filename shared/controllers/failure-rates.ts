/**
 * Counts what burn-ins came to, by type, zone and image, for whoever compares places to buy at.
 *
 * Only a machine's first test counts: what is tested again has carried work meanwhile, and says
 * little of what EC2 hands out. A count may be lost, when somebody else was faster too often or the
 * function dies between a verdict and this: the next ones tell the same.
 */
import { z } from 'zod'
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Clock } from '../cloud/clock.ts'
import { LIMITS } from '../model/limits.ts'
import { countIn, ratesSchema, type Outcome } from '../model/rates.ts'
import type { Verdict } from '../model/verdict.ts'
import { keys } from '../store/keys.ts'
import { absent, equal, present, type Condition, type Item, type Store } from '../store/store.ts'

export type RatePorts = {
  store: Pick<Store, 'get' | 'write'>
  clock: Pick<Clock, 'now'>
  log: Logger
}

/** Takes in verdicts that were just written; never throws. */
export async function countVerdicts(ports: RatePorts, verdicts: readonly Verdict[]): Promise<void> {
  try {
    const outcomes: Outcome[] = []
    for (const verdict of verdicts) {
      const outcome = await outcomeOf(ports, verdict)
      if (outcome !== undefined) outcomes.push(outcome)
    }
    if (outcomes.length === 0 || (await keep(ports, outcomes))) return
    ports.log.warn('counts of burn-ins were lost to faster writers', { count: outcomes.length })
  } catch (error) {
    ports.log.warn('counts of burn-ins were lost', { error: describeError(error) })
  }
}

const testedNodeSchema = z.object({
  machine: z.object({
    instanceType: z.string(),
    zone: z.string(),
    imageId: z.string().optional(),
  }),
  burnIn: z
    .object({
      attempt: z.int().optional(),
      served: z.boolean().default(false),
      mended: z.array(z.string()).default([]),
      whole: z.string().optional(),
    })
    .prefault({}),
})

async function outcomeOf({ store }: RatePorts, verdict: Verdict): Promise<Outcome | undefined> {
  const { verdict: came, node, attempt } = verdict
  if (came === 'UNKNOWN' || came === 'INFRA') return undefined
  const known = testedNodeSchema.safeParse(await store.get(keys.node(node))).data
  if (known === undefined) return undefined
  const { machine, burnIn } = known
  const { served, mended, whole } = burnIn
  if (served || mended.length > 0 || attempt !== (burnIn.attempt ?? attempt)) return undefined
  const passed = came !== 'FAIL'
  // The whole suite follows, and says more.
  const isHalf = passed && whole !== undefined && verdict.certifiedForMs === undefined
  return isHalf ? undefined : { ...machine, passed }
}

async function keep({ store, clock }: RatePorts, outcomes: readonly Outcome[]): Promise<boolean> {
  for (let i = 0; i < LIMITS.rateWriteAttempts; i += 1) {
    const stored = await store.get(keys.rates())
    const rates = countIn(ratesSchema.safeParse(stored).data, outcomes, clock.now())
    const item = { ...keys.rates(), ...rates }
    const { applied } = await store.write({ kind: 'put', item, when: [unchanged(stored)] })
    if (applied) return true
  }
  return false
}

/** What cannot be read is written anew. */
function unchanged(stored: Item | undefined): Condition {
  if (stored === undefined) return absent
  const revision = stored['revision']
  return typeof revision === 'number' ? equal('revision', revision) : present
}
