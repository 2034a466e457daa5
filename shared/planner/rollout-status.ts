/**
 * Where the change from one version to the next stands.
 *
 * A version becomes stable when all that is wanted runs at it, ready, and nothing older is left.
 * Until the next one has come as far it stays the one to go back to. All of it are stamps of the
 * pass that saw the fact, so how long a roll-out has stood still is a matter of subtraction.
 */
import type { RolloutStatus } from '../model/status.ts'

/** Replicas as they are now. */
export type RolloutCounts = {
  /** The version of the spec as it stands. */
  readonly version: string
  readonly desired: number
  /** Of that version, ready at some time. */
  readonly ready: number
  /** Of other versions, on whatever node. */
  readonly older: number
}

export function rolloutStatus(
  { version, desired, ready, older }: RolloutCounts,
  before: RolloutStatus | undefined,
  nowMs: number,
): RolloutStatus {
  const isNew = before?.active !== version
  const most = isNew ? 0 : before.mostReady
  const isWhole = desired > 0 && ready >= desired && older === 0
  const stable = isWhole ? version : before?.stable
  return {
    active: version,
    ...(stable === undefined ? {} : { stable }),
    startedAtMs: isNew ? nowMs : before.startedAtMs,
    lastProgressAtMs: isNew || ready > most ? nowMs : before.lastProgressAtMs,
    mostReady: Math.max(most, ready),
  }
}
