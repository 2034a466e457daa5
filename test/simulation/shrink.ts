/**
 * Makes a world that breaks a rule as small as it gets while it still breaks that rule.
 *
 * First the faults are pinned: those that struck, and no others. Then time is cut to just beyond
 * the violation, and steps and faults are left out, in halves, quarters and so on down to single
 * ones (delta debugging: Zeller and Hildebrandt, 2002). Each try is a whole run, so tries are
 * bounded.
 */
import type { SimOptions } from './options.ts'
import type { ToldWorld } from './case.ts'
import { runWorld, type Outcome, type RunSetup } from './run.ts'
import { planHerd, type Step } from './script.ts'
import { START_MS } from './world.ts'

export type ShrinkSetup = Pick<RunSetup, 'makeAuditor'> & {
  readonly options: SimOptions
  readonly tell: (text: string) => void
}

export type Shrunk = { readonly world: ToldWorld; readonly outcome: Outcome }

const TRIES_MAX = 400
const DAY_MS = 86_400_000
const MARGIN_MS = 1_000

/** The smallest world found; undefined when the seed breaks nothing. */
export async function shrink(setup: ShrinkSetup): Promise<Shrunk | undefined> {
  const { options, makeAuditor, tell } = setup
  const plan = planHerd(options)
  const first = await runWorld({ options, plan, makeAuditor })
  const rule = first.violation?.rule
  if (rule === undefined) return undefined
  let best: Shrunk = { world: { options, plan, only: new Set(first.struck) }, outcome: first }
  let tries = 0
  const attempt = async (world: ToldWorld): Promise<boolean> => {
    if (tries >= TRIES_MAX) return false
    tries += 1
    const outcome = await runWorld({ ...world, makeAuditor })
    if (outcome.violation?.rule !== rule) return false
    const struck = new Set(outcome.struck)
    best = { world: { ...world, only: struck }, outcome }
    tell(
      `${String(tries)}: ${String(world.plan.script.length)} steps, ` +
        `${String(struck.size)} faults, ${(world.options.days * 24).toFixed(2)} h`,
    )
    return true
  }
  await attempt(best.world)
  await cutTime(() => best, attempt)
  for (let before = Infinity; sizeOf(best.world) < before;) {
    before = sizeOf(best.world)
    await leaveOut(
      () => [...best.world.only],
      (only) => attempt({ ...best.world, only: new Set(only) }),
    )
    await leaveOut<Step>(
      () => best.world.plan.script,
      (script) => attempt({ ...best.world, plan: { ...best.world.plan, script } }),
    )
    await cutTime(() => best, attempt)
  }
  return best
}

const sizeOf = ({ plan, only }: ToldWorld): number => plan.script.length + only.size

type Attempt = (world: ToldWorld) => Promise<boolean>

/** Ends the safety phase just behind the violation, where that is in it. */
async function cutTime(best: () => Shrunk, attempt: Attempt): Promise<void> {
  const { world, outcome } = best()
  const atMs = outcome.violation?.atMs
  if (atMs === undefined) return
  const days = (atMs - START_MS + MARGIN_MS) / DAY_MS
  if (days < world.options.days) await attempt({ ...world, options: { ...world.options, days } })
}

async function leaveOut<T>(
  list: () => readonly T[],
  attempt: (rest: readonly T[]) => Promise<boolean>,
): Promise<void> {
  for (let size = Math.ceil(list().length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < list().length;) {
      const rest = list().filter((_, i) => i < at || i >= at + size)
      // What was left out is gone from the list; else look at the next part.
      if (!(await attempt(rest))) at += size
    }
  }
}
