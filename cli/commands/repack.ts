/**
 * `drover repack status`: which machines are emptied to save money, which would be, and which will
 * not be, and why.
 */
import { sum } from '#shared/base/sum.ts'
import { repackAnswerSchema, type RepackAnswer } from '#shared/protocol/api.ts'
import type { Command, Context } from '../command.ts'
import { formatUsdPerHour } from '../render/money.ts'
import { indented, page } from '../render/page.ts'
import { table, type Column } from '../render/table.ts'
import { ageOf } from '../render/time.ts'

type Group = RepackAnswer['groups'][number]
type Refused = RepackAnswer['refused'][number]

const groupColumns: readonly Column<Group>[] = [
  { title: 'GROUP', of: ({ id }) => id },
  { title: 'STATE', of: ({ state }) => state },
  { title: 'REASON', of: ({ reason }) => reason },
  { title: 'EMPTIES', of: ({ retire }) => retire.join(' ') },
  { title: 'ASIDE', of: ({ shift }) => shift.map((own) => own.replica).join(' ') },
  { title: 'BUYS', of: ({ launch }) => bought(launch) },
  { title: 'SAVES', of: ({ savingUsdPerHour }) => signed(savingUsdPerHour), align: 'right' },
  { title: 'MOVES', of: ({ moves }) => String(moves), align: 'right' },
  { title: 'WHY', of: ({ why }) => why?.text ?? '', shrink: true },
]

const refusedColumns: readonly Column<Refused>[] = [
  { title: 'NODE', of: ({ retire }) => retire.join(' ') },
  { title: 'REASON', of: ({ reason }) => reason.code },
  { title: 'WHY', of: ({ reason }) => reason.text, shrink: true },
]

/** Each machine by its first place: `m7a.large spot`. */
function bought(launch: Group['launch']): string {
  if (launch.length === 0) return 'nothing'
  return launch
    .map(({ places, capacityType }) => `${places[0]?.split('/')[0] ?? ''} ${capacityType}`)
    .join(', ')
}

const signed = (usdPerHour: number): string =>
  usdPerHour < 0 ? `-${formatUsdPerHour(-usdPerHour)}` : formatUsdPerHour(usdPerHour)

const status: Command = {
  name: 'repack status',
  group: 'Look',
  summary: 'say which machines are, would be and will not be emptied to save money, and why',
  examples: ['drover repack status'],
  async run(context) {
    const answer = await context.api.get('/v1/repack', repackAnswerSchema)
    context.show(answer.body, () => statusLines(context, answer.value))
  },
}

function statusLines({ style, world }: Context, answer: RepackAnswer): readonly string[] {
  const { at, groups, refused } = answer
  const within = indented(style)
  const isMoving = ({ state }: Group): boolean => state === 'moving' || state === 'launching'
  const saving = (list: readonly Group[]): string =>
    signed(sum(list.map((own) => own.savingUsdPerHour)))
  const [doing, proposed] = [groups.filter(isMoving), groups.filter((own) => !isMoving(own))]
  return page(
    {
      facts: [
        ['Looked', at === null ? 'not yet' : `${ageOf(at, world.clock.now())} ago`],
        ['Under way', doing.length === 0 ? 'nothing' : saving(doing)],
        ['Proposed', proposed.length === 0 ? 'nothing' : saving(proposed)],
      ],
      sections: [
        {
          title: 'Groups',
          lines: groups.length === 0 ? [] : table(groupColumns, groups, within),
        },
        {
          title: 'Machines that stay',
          lines: refused.length === 0 ? [] : table(refusedColumns, refused, within),
        },
      ],
    },
    style.paint,
  )
}

export const repack: readonly Command[] = [status]
