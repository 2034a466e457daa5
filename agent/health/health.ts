/**
 * What an agent knows of its machine's health, and what of that it tells.
 *
 * A report costs a write, a wake and a pass, so changes alone are told. What stands one look and is
 * gone the next is not told at all, numbers that move do not change the words, and a fault that the
 * kernel repeats is told of again only now and then.
 */
import { z } from 'zod'
import { byKey } from '#shared/base/order.ts'
import type { HealthFinding } from '#shared/model/health.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Look, Sighting } from './looks.ts'

const toldSchema = z.object({
  text: z.string(),
  /** UUIDs. */
  devices: z.array(z.string()),
  times: z.int().min(1),
})

const knownSchema = toldSchema.extend({
  area: z.enum(['kernel', 'gpu', 'disk', 'clock']),
  /** Looks in a row that speak for a change: that it has come, or, once told, that it is over. */
  looks: z.int().min(0),
  /** What the report says of it, and since when it says so; absent until it is told. */
  told: toldSchema.extend({ atMs: z.int() }).optional(),
})
type Known = z.infer<typeof knownSchema>

/** By problem. Kept in the state file: an agent that comes back must not take it all for new. */
export const healthSchema = z.record(z.string(), knownSchema)
export type Health = Readonly<Record<string, Known>>

/** What is known after a look. */
export function afterLook(health: Health, look: Look, nowMs: number): Health {
  const seen = new Map<string, Sighting>(look.seen.map((own) => [own.problem, own]))
  const problems = new Set([...Object.keys(health), ...seen.keys()])
  const next = [...problems].flatMap((problem): [string, Known][] => {
    const known = health[problem]
    const isElsewhere = known !== undefined && known.area !== look.area
    const own = isElsewhere ? known : afterSight(known, seen.get(problem), look)
    return own === undefined ? [] : [[problem, tell(own, nowMs)]]
  })
  return Object.fromEntries(next)
}

/** Undefined: it is over. */
function afterSight(
  known: Known | undefined,
  seen: Sighting | undefined,
  { area, isWhole }: Look,
): Known | undefined {
  if (seen === undefined) return known === undefined ? undefined : unseen(known)
  const { text } = seen
  const devices = [...new Set([...(known?.devices ?? []), ...seen.devices])]
  if (known === undefined) return { area, text, devices, times: 1, looks: 1 }
  if (area !== 'kernel') {
    return { ...known, devices, looks: known.told === undefined ? known.looks + 1 : 0 }
  }
  // An agent that comes back reads the whole log: what it knew is no news for that.
  return isWhole === true ? known : { ...known, text, devices, times: known.times + 1 }
}

/** What the kernel has told stays told; a state is over once it is missed twice. */
function unseen(known: Known): Known | undefined {
  if (known.area === 'kernel') return known
  const isOver = known.told === undefined || known.looks + 1 >= LIMITS.healthLooksToTell
  return isOver ? undefined : { ...known, looks: known.looks + 1 }
}

function tell(known: Known, nowMs: number): Known {
  const { told, area, text, devices, times, looks } = known
  const now = { text, devices, times, atMs: nowMs }
  if (told === undefined) {
    const isSure = area === 'kernel' || looks >= LIMITS.healthLooksToTell
    return isSure ? { ...known, looks: 0, told: now } : known
  }
  const isWider = devices.length > told.devices.length
  const isAgain = times > told.times && nowMs - told.atMs >= LIMITS.healthRepeatMs
  return isWider || isAgain ? { ...known, told: now } : known
}

/** What the report tells, by name; undefined where there is nothing. */
export function toldOfHealth(health: Health): HealthFinding[] | undefined {
  const told = Object.entries(health).flatMap(([reason, known]): HealthFinding[] => {
    if (known.told === undefined) return []
    const { text, devices, times } = known.told
    const about = devices.length === 0 ? {} : { devices: [...devices] }
    return [{ reason, text, ...about, times }]
  })
  if (told.length === 0) return undefined
  return told.sort(byReason).slice(0, LIMITS.healthFindingsMax)
}

const byReason = byKey(({ reason }: HealthFinding) => reason)
