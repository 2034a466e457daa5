/**
 * One event a change, so that `drover events` tells who did what to the herd.
 *
 * History is told after the fact: the change stands already, and losing its line is logged and
 * never turns a success into an error.
 */
import { describeError } from '#shared/base/errors.ts'
import { eventId, type DroverEvent } from '#shared/model/event.ts'
import { appendEvents } from '#shared/store/history.ts'
import type { AdminApiPorts } from './ports.ts'

export async function record(
  { history, clock, ids, log }: AdminApiPorts,
  what: Pick<DroverEvent, 'object' | 'reason' | 'text'>,
): Promise<void> {
  const atMs = clock.now()
  const id = eventId({ atMs, writer: `api-${ids.uid()}`, n: 0 })
  try {
    await appendEvents(history, [{ id, atMs, type: 'Normal', ...what }])
  } catch (error) {
    log.error('an event is lost', { event: what, error: describeError(error) })
  }
}
