/**
 * The ladder: what is tried of a machine that failed its burn-in, before another takes its place.
 *
 * Many faults of GPUs go with a reset and some of machines with a reboot, which takes minutes where
 * another machine may not be had at all. So a pool says how far to go. A check that knows what its
 * fault needs is believed, and rungs below that are left out. Behind every rung the whole suite is
 * run again, the reset or the boot being part of the attempt: what failed deep is not cleared by a
 * light look. A machine that was refused for what is known of its hardware is not mended at all.
 */
import { isAboutGpus, type BurnInSpec } from '../../model/burn-in.ts'
import type { Rung } from '../../model/node.ts'
import type { Mend, Verdict } from '../../model/verdict.ts'
import type { Action } from '../actions.ts'
import type { NodeFacts } from '../facts.ts'
import type { Snapshot } from '../snapshot.ts'

const LADDERS = {
  replace: [],
  reset: ['again', 'reset'],
  reboot: ['again', 'reset', 'reboot'],
} as const satisfies Record<BurnInSpec['onFailure'], readonly Rung[]>

/** From the least to the most; to look again mends nothing, and may show that nothing was wrong. */
const STRENGTH = { again: 0, reset: 1, reboot: 2, replace: 3 } as const satisfies Record<
  Rung | Mend,
  number
>

type Failed = Pick<NodeFacts, 'node' | 'pool' | 'assignment'> & { readonly verdict: Verdict }

/** The next rung up that may help, of those the pool allows. */
export function nextRung(failed: Failed): Rung | undefined {
  const { node, pool, verdict } = failed
  const { mended = [] } = node.burnIn ?? {}
  const needed = failedChecks(verdict).map(({ needs }) => STRENGTH[needs ?? 'again'])
  const tried = mended.map((rung) => STRENGTH[rung])
  return LADDERS[pool?.spec.burnIn.onFailure ?? 'replace'].find(
    (rung) =>
      !verdict.refused &&
      STRENGTH[rung] > Math.max(-1, ...tried) &&
      STRENGTH[rung] >= Math.max(...needed) &&
      (rung !== 'reset' || mayBeGpus(failed)),
  )
}

const failedChecks = ({ checks }: Verdict): Verdict['checks'] =>
  checks.filter((own) => own.verdict === 'FAIL')

/** A program of the pool's owner on a machine with GPUs looks at those, or nobody can tell. */
function mayBeGpus({ node, assignment, verdict }: Failed): boolean {
  if ((node.machine?.gpuCount ?? 0) === 0) return false
  const kinds = new Map(assignment?.burnIn?.checks.map(({ name, check }) => [name, check]))
  return failedChecks(verdict).some(({ name }) => {
    const kind = kinds.get(name) ?? ''
    return isAboutGpus(kind) || kind === 'command'
  })
}

type Reboot = Extract<Action, { kind: 'reboot' }>

/** EC2 is asked to boot the machine anew; `burnIn` is its record with the verdict in it. */
export function rebootOf(
  { node, burnIn, why }: Pick<Reboot, 'node' | 'burnIn'> & { readonly why: string },
  { nowMs, settings }: Pick<Snapshot, 'nowMs' | 'settings'>,
): Reboot {
  return {
    kind: 'reboot',
    node,
    burnIn: {
      ...burnIn,
      mended: [...burnIn.mended, 'reboot'],
      reboot: { sinceMs: nowMs, lastTryMs: nowMs },
      deadlineMs: nowMs + REBOOT_TRIES * settings.bootDeadlineMs,
    },
    reason: { code: 'BurnInRepair', text: `${why}: it is rebooted` },
  }
}

/** An answer of EC2's may be lost; but a second reboot takes down what the first brought up. */
const REBOOT_TRIES = 2

/** The same again, once it would have been back long ago. */
export function rebootAgain({ node }: NodeFacts, { nowMs, settings }: Snapshot): readonly Reboot[] {
  const { burnIn } = node
  if (burnIn?.reboot === undefined) return []
  if (nowMs < rebootAgainAtMs(burnIn.reboot, settings)) return []
  const reboot = { ...burnIn.reboot, lastTryMs: nowMs }
  const reason = { code: 'StillThere', text: 'EC2 has not rebooted it yet' }
  return [{ kind: 'reboot', node: node.name, burnIn: { ...burnIn, reboot }, reason }]
}

export function rebootAgainAtMs(
  { lastTryMs }: { readonly lastTryMs: number },
  { bootDeadlineMs }: Snapshot['settings'],
): number {
  return lastTryMs + bootDeadlineMs
}
