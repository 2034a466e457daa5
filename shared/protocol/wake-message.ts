/**
 * The body of a message on drover's queues.
 *
 * Drover's own wakes carry the time they were sent as a number. The tick comes from an EventBridge
 * rule, whose input transformer can only copy the event's ISO time, so that is read too. A body
 * nobody can read is a wake all the same: it says "look again", and looking costs little.
 */
import { z } from 'zod'

export type WakeMessage = { readonly reason: string; readonly sentAtMs?: number }

const wakeMessageSchema = z.union([
  z.object({ reason: z.string().max(200), sentAtMs: z.int() }),
  z
    .object({ reason: z.string().max(200), sentAt: z.iso.datetime() })
    .transform(({ reason, sentAt }) => ({ reason, sentAtMs: Date.parse(sentAt) })),
])

/** What a message says; without `sentAtMs` when it cannot be read, so it never counts as old. */
export function parseWakeMessage(body: string): WakeMessage {
  try {
    return wakeMessageSchema.parse(JSON.parse(body))
  } catch {
    return { reason: 'unreadable' }
  }
}

/** The tick's body, with the event's time as EventBridge fills it in: differs every minute. */
export function tickBody(isoTime: string): { reason: string; sentAt: string } {
  return { reason: 'tick', sentAt: isoTime }
}
