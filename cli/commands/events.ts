/**
 * `drover events`: what happened, oldest first; with `--follow`, what happens.
 */
import { z } from 'zod'
import { eventId } from '#shared/model/event.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { eventAnswerSchema } from '#shared/protocol/api.ts'
import { durationOption, type Command, type Context } from '../command.ts'
import { PATH_OF } from '../kinds.ts'
import { table } from '../render/table.ts'
import { eventColumns, eventLine } from '../views/event.ts'
import { makePatience } from '../patience.ts'
import { untilInterrupted } from '../watch.ts'

export const SINCE_DEFAULT_MS = 3_600_000

export const events: Command = {
  name: 'events',
  group: 'Look',
  summary: 'show what happened in the last hour, or go on showing it',
  options: [
    { flags: '--follow', summary: 'go on as events come, until Ctrl-C' },
    { flags: '--object <kind/name>', summary: 'only about this one, like workload/web' },
    { flags: '--since <duration>', summary: 'how far back (1h)', parse: durationOption },
  ],
  examples: [
    'drover events',
    'drover events --object workload/web --since 1d',
    'drover events --follow',
  ],
  async run(context, input) {
    const sinceMs = input.number('since') ?? SINCE_DEFAULT_MS
    const query = { object: input.text('object'), after: cursorAt(context, sinceMs) }
    if (input.flag('follow')) {
      await untilInterrupted(() => follow(context, query))
      return
    }
    const answer = await context.api.list(PATH_OF.event, eventAnswerSchema, query)
    const nowMs = context.world.clock.now()
    context.show(answer.body, () =>
      answer.value.length === 0 ? [] : table(eventColumns(nowMs), answer.value, context.style),
    )
    if (answer.value.length === 0 && !context.json) context.note('no events in that time')
  },
}

/** Ids sort by time, so the id that an event of that moment would have is a place to read from. */
export function cursorAt({ world }: Pick<Context, 'world'>, sinceMs: number): string {
  return eventId({ atMs: Math.max(0, world.clock.now() - sinceMs), writer: '', n: 0 })
}

type Query = { readonly object: string | undefined; readonly after: string }

const itemsSchema = z.object({ items: z.array(z.unknown()) })

/**
 * Several writers tell their events, so one may arrive after a younger one of another: a pass tells
 * all of its own when it ends, by the time at which it began.
 */
const OVERLAP_MS = LIMITS.reconcileTimeoutMs + 5_000

async function follow(context: Context, query: Query): Promise<void> {
  const { world, api } = context
  let seen: ReadonlySet<string> = new Set()
  const patiently = makePatience(context)
  let answer = await patiently(() => api.list(PATH_OF.event, eventAnswerSchema, query))
  for (;;) {
    const bodies = itemsSchema.parse(answer.body).items
    answer.value.forEach((event, index) => {
      if (seen.has(event.id)) return
      if (context.json) world.out.write(`${JSON.stringify(bodies[index])}\n`)
      else context.line(eventLine(event))
    })
    seen = new Set([...seen, ...answer.value.map(({ id }) => id)].slice(-SEEN_MAX))
    const newestMs = Date.parse(answer.value.at(-1)?.at ?? '')
    const after = Number.isNaN(newestMs)
      ? query.after
      : eventId({ atMs: newestMs - OVERLAP_MS, writer: '', n: 0 })
    await world.clock.sleep(LIMITS.cliWatchMs)
    if (world.interrupted.aborted) return
    answer = await patiently(() => api.list(PATH_OF.event, eventAnswerSchema, { ...query, after }))
  }
}

/** More than a herd tells within the overlap. */
const SEEN_MAX = 10_000
