/**
 * That the container engine did not answer, remembered from one start of the agent to the next.
 *
 * An agent beats while it waits for its engine, for a minute is none to be lost for. One that then
 * ends, starts anew and waits again would beat for ever with nobody at work behind it; so from the
 * second time in a boot it waits in silence, and drover replaces the machine.
 */
import { rmSync } from 'node:fs'
import type { Logger } from '#shared/base/log.ts'
import { readIfThere, writeIfPossible } from './files.ts'

export type EngineSilence = {
  /** True where it was silent in this boot, and has not been heard since. */
  isKnown(): boolean
  note(): void
  forget(): void
}

export function openEngineSilence(
  path: string,
  { bootId, log }: { bootId: string; log: Logger },
): EngineSilence {
  return {
    isKnown: () => readIfThere(path) === bootId,
    note: () => {
      writeIfPossible(path, bootId, { what: 'that the engine is silent', log })
    },
    forget: () => {
      rmSync(path, { force: true })
    },
  }
}
