/**
 * `--watch`: the same question again and again, until Ctrl-C.
 *
 * On a terminal the picture is redrawn in place. In a pipe, or with `--json`, only what changed is
 * printed, one row or one JSON object a line, so that another program can follow.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Context } from './command.ts'
import { InterruptedError } from './errors.ts'
import type { Listing, Row } from './listing.ts'
import { makePatience } from './patience.ts'

const HOME_AND_CLEAR = '\u001b[H\u001b[2J'
const CLEAR_BELOW = '\u001b[J'
const HOME = '\u001b[H'
const CLEAR_LINE_END = '\u001b[K'

export async function watch(context: Context, read: () => Promise<Listing>): Promise<void> {
  const { world } = context
  const draw = world.out.isTty && !context.json ? redrawer(context) : changesOnly(context)
  const patiently = makePatience(context)
  await untilInterrupted(async () => {
    while (!world.interrupted.aborted) {
      draw(await patiently(read))
      await world.clock.sleep(LIMITS.cliWatchMs)
    }
  })
}

/** What only Ctrl-C ends has ended well when Ctrl-C ends it, also in the middle of a request. */
export async function untilInterrupted(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error
  }
}

type Draw = (listing: Listing) => void

/** Draws over the last picture without clearing first, so that nothing flickers. */
function redrawer(context: Context): Draw {
  const { world, style } = context
  world.out.write(HOME_AND_CLEAR)
  return (listing) => {
    world.out.write(HOME)
    for (const line of linesOr(listing, context)) {
      world.out.write(line + CLEAR_LINE_END + '\n')
    }
    world.out.write(style.paint('Ctrl-C to end', 'dim') + CLEAR_LINE_END + '\n' + CLEAR_BELOW)
  }
}

const linesOr = (listing: Listing, { style }: Context): readonly string[] =>
  listing.rows.length === 0 ? ['nothing there'] : listing.lines(style)

/** Rows are cut from the whole table, so that they stand below one another and below its header. */
function changesOnly(context: Context): Draw {
  let before = new Map<string, string>()
  let lastHeader: string | undefined
  return (listing) => {
    const { rows } = listing
    const changed = (row: Row): boolean => before.get(row.id) !== row.print
    if (context.json) {
      for (const row of rows.filter(changed)) {
        context.world.out.write(`${JSON.stringify(row.body)}\n`)
      }
    } else if (rows.some(changed)) {
      const [header, ...lines] = listing.lines(context.style)
      if (header !== undefined && header !== lastHeader) context.line(header)
      lastHeader = header
      rows.forEach((row, index) => {
        if (changed(row)) context.line(lines[index] ?? '')
      })
    }
    const now = new Map(rows.map(({ id, print }) => [id, print]))
    if (!context.json) {
      for (const id of before.keys()) if (!now.has(id)) context.line(`${id}  gone`)
    }
    before = now
  }
}
