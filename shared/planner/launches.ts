/**
 * Launches whose answer is not in: sent but unheard, or never sent because the pass died first.
 *
 * Until `notAfter` the very same request may be sent again, since its token makes EC2 answer it
 * once. After that only the tag on the instances can tell. What the tag shows is dealt to the
 * claims; when a listing made well after `notAfter` shows nothing, the claims are given up.
 */
import { LIMITS } from '../model/limits.ts'
import { launchTag, TAGS, type Launch } from '../model/launch.ts'
import type { Action } from './actions.ts'
import type { Draft } from './fold.ts'
import type { Snapshot } from './snapshot.ts'

export function settleLaunches(snapshot: Snapshot, draft: Draft): readonly Action[] {
  return [
    ...snapshot.launches.flatMap((launch) => settleLaunch(launch, snapshot, draft)),
    ...giveUpStrayClaims(snapshot, draft),
  ]
}

/** Claims whose launch is gone or cannot be read: nothing will ever be dealt to them. */
function giveUpStrayClaims(snapshot: Snapshot, draft: Draft): readonly Action[] {
  const { listing, launches, nowMs } = snapshot
  if (listing === undefined) return []
  const known = new Set(launches.map((own) => own.id))
  const agedMs = LIMITS.launchNotAfterMs + LIMITS.launchUnknownMs
  return [...draft.nodes.values()]
    .filter((node) => node.phase === 'launching' && !known.has(node.launchId))
    .filter((node) => nowMs - node.createdAtMs >= agedMs)
    .map(({ name }) => {
      const reason = { code: 'NoLaunch', text: 'its launch is not known any more' }
      return { kind: 'remove', node: name, reason }
    })
}

function settleLaunch(launch: Launch, snapshot: Snapshot, draft: Draft): readonly Action[] {
  const { nowMs, listing, pass } = snapshot
  if (nowMs < launch.notAfterMs) {
    const text = launch.unknownText ?? 'it may not have been sent'
    return [{ kind: 'replay', launchId: launch.id, reason: { code: 'AnswerLost', text } }]
  }
  if (listing === undefined) return []
  const known = new Set([...draft.nodes.values()].map((node) => node.machine?.instanceId))
  const found = listing.items.filter(
    (own) =>
      own.tags[TAGS.launch] === launchTag(launch) &&
      own.tags[TAGS.table] === pass.tableUid &&
      (own.state === 'pending' || own.state === 'running') &&
      !known.has(own.instanceId),
  )
  const actions: Action[] = []
  if (found.length > 0) {
    const text = `its tag is on ${String(found.length)} instances`
    const reason = { code: 'FoundByTag', text }
    actions.push({ kind: 'deal', launchId: launch.id, instances: found, reason })
  }
  if (listing.listedAtMs >= launch.notAfterMs + LIMITS.launchUnknownMs) {
    const text = 'EC2 lists no instance of it, long after it could have been sent'
    actions.push({ kind: 'give-up', launchId: launch.id, reason: { code: 'NoInstance', text } })
  }
  return actions
}
