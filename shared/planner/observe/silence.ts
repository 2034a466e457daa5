/**
 * Silence is not death.
 *
 * A node that has not beaten for a while is *silent*. It is *lost* only if somebody else confirms
 * it: EC2 calls it impaired, or its neighbours have beaten while it did not. If many fall silent at
 * once, the likely culprit is the table, the network or drover itself, so nobody is lost. Silence
 * is counted at the earliest from when passes began to come without a gap: nobody was listening
 * before.
 */
import { LIMITS } from '../../model/limits.ts'
import type { Node } from '../../model/node.ts'
import type { Action } from '../actions.ts'
import { LOST } from '../brake.ts'
import type { NodeFacts } from '../facts.ts'
import type { ObserveContext } from './context.ts'

/** Phases in which an agent is known to be there and must be heard of. */
export const BEATING: readonly string[] = ['testing', 'ready', 'draining']

/** One that is being rebooted cannot; what becomes of it is for its burn-in to say. */
export function mustBeat({ phase, burnIn }: Node): boolean {
  return BEATING.includes(phase) && burnIn?.reboot === undefined
}

export function judgeSilence(
  all: readonly NodeFacts[],
  { snapshot, brakes }: ObserveContext,
): readonly Action[] {
  const { nowMs, settings, pass } = snapshot
  const watched = all.filter(({ node }) => mustBeat(node))
  const quietMs = ({ beat, machine }: NodeFacts): number =>
    nowMs - Math.max(beat?.atMs ?? 0, pass.coveredSinceMs, machine.launchedAtMs)
  const silent = new Set(watched.filter((own) => quietMs(own) > settings.lostAfterMs))
  const tooMany = silent.size > 1 && silent.size > Math.max(1, LIMITS.brakeShare * watched.length)
  return watched.flatMap((own): Action[] => {
    const { node } = own
    if (!silent.has(own)) return hearAgain(own)
    const actions: Action[] = []
    if (node.silentSinceMs === undefined) {
      const reason = { code: 'Silent', text: 'the agent has not been heard of for a while' }
      actions.push({ kind: 'note', node: node.name, changes: { silentSinceMs: nowMs }, reason })
    }
    if (node.lostSinceMs !== undefined || tooMany) return actions
    const proof = proofOfLoss(own, { watched, silent, quietMs: quietMs(own), context: snapshot })
    if (proof === undefined || !brakes.condemn(node, LOST)) return actions
    const reason = { code: 'Lost', text: proof }
    actions.push(
      { kind: 'note', node: node.name, changes: { lostSinceMs: nowMs }, reason },
      { kind: 'drain', node: node.name, because: 'Lost', deadlineMs: nowMs, reason },
    )
    return actions
  })
}

function hearAgain({ node }: NodeFacts): Action[] {
  if (node.silentSinceMs === undefined && node.lostSinceMs === undefined) return []
  const reason = { code: 'HeardAgain', text: 'the agent is heard of again' }
  const changes = { silentSinceMs: undefined, lostSinceMs: undefined }
  const actions: Action[] = [{ kind: 'note', node: node.name, changes, reason }]
  if (node.drain?.reason === 'Lost') actions.push({ kind: 'undrain', node: node.name, reason })
  return actions
}

type Silence = {
  readonly watched: readonly NodeFacts[]
  readonly silent: ReadonlySet<NodeFacts>
  readonly quietMs: number
  readonly context: ObserveContext['snapshot']
}

/** Who confirms that the silent node is lost, in words; undefined when nobody does. */
function proofOfLoss(own: NodeFacts, silence: Silence): string | undefined {
  const { watched, silent, quietMs, context } = silence
  const { listing, settings } = context
  const state = own.listed?.state
  if (listing?.impaired.includes(own.machine.instanceId) === true || state === 'stopping') {
    return 'it is silent, and EC2 reports the machine impaired'
  }
  const others = watched.filter((other) => other !== own)
  const near = others.filter(
    (other) => other.node.pool === own.node.pool && other.machine.zone === own.machine.zone,
  )
  const witnesses = near.length > 0 ? near : others
  if (witnesses.length === 0) {
    const alone = quietMs > LIMITS.lostAloneFactor * settings.lostAfterMs
    return alone ? 'it is silent, and there is no other node to compare with' : undefined
  }
  const heard = witnesses.filter((other) => !silent.has(other)).length
  return heard * 2 > witnesses.length ? 'it is silent while its neighbours are heard of' : undefined
}
