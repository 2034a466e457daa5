/**
 * `drover plan`: what applying some files would bring about, with nothing changed by asking.
 */
import { z } from 'zod'
import { planAnswerSchema, type PlanAnswer } from '#shared/protocol/api.ts'
import { groupBy } from '#shared/base/order.ts'
import type { Command, Context } from '../command.ts'
import { parseDocuments } from '../documents.ts'
import { readSources } from '../files.ts'
import { formatBound, formatUsdPerHour, someUsd } from '../render/money.ts'
import { indented, page } from '../render/page.ts'
import { table, type Column } from '../render/table.ts'
import { FILE_OPTION } from './options.ts'

export const plan: Command = {
  name: 'plan',
  group: 'Say what should run',
  summary: 'show what applying files would do, and what it would cost; changes nothing',
  options: [FILE_OPTION],
  examples: ['drover plan -f examples/quickstart.yaml'],
  async run(context, input) {
    const files = input.texts('file')
    const documents = parseDocuments(await readSources(files, context.world))
    const answer = await context.api.call(
      { method: 'POST', path: '/v1/plan', body: { documents: documents.map(({ body }) => body) } },
      planAnswerSchema,
    )
    context.show(answer.body, () => planLines(context, answer.value))
    context.next(`drover apply ${files.map((file) => `-f ${file}`).join(' ')}`)
  },
}

function planLines({ style }: Context, answer: PlanAnswer): readonly string[] {
  const { now, after, bound, fleet, gap, ...lines } = answer.costUsdPerHour
  const acts = answer.actions.filter(({ kind }) => !BOOKKEEPING.has(kind)).map(actOf)
  const told = [
    ...groupBy(acts, ({ what, detail, why }) => [what, detail, why].join('\n')).values(),
  ]
  const rows = told.flatMap((same) =>
    same.slice(0, 1).map((act) => ({ ...act, count: same.length })),
  )
  const within = indented(style)
  return page(
    {
      facts: [
        ['Cost now', formatUsdPerHour(now)],
        ['Cost after', `${formatUsdPerHour(after)}${difference(now, after)}`],
        ['Headroom', someUsd(lines.headroom)],
        ['Testing', someUsd(lines.testing)],
        ['Surge', someUsd(lines.surge)],
        ['Leaving', someUsd(lines.leaving)],
        ['Quarantined', someUsd(lines.quarantined)],
        [
          'Bound',
          bound === null
            ? undefined
            : formatBound({ boundUsdPerHour: bound, fleetUsdPerHour: fleet, gap }),
        ],
        [
          'Actions',
          acts.length === 0 ? 'none: everything is as it should be' : String(acts.length),
        ],
      ],
      sections: [
        { title: 'What the next pass would do', lines: listed(actColumns, rows, within) },
        {
          title: 'What finds no place',
          lines: listed(
            refusalColumns,
            answer.unschedulable.flatMap((own) =>
              own.reasons.map((reason) => ({ ...own, reason })),
            ),
            within,
          ),
        },
      ],
    },
    style.paint,
  )
}

function listed<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  style: Context['style'],
): readonly string[] {
  return rows.length === 0 ? [] : table(columns, rows, style)
}

function difference(now: number, after: number): string {
  if (now === after) return ''
  return after > now
    ? ` (${formatUsdPerHour(after - now)} more)`
    : ` (${formatUsdPerHour(now - after)} less)`
}

/** Stamps and notes of the planner's own: nothing that anybody would see happen. */
const BOOKKEEPING: ReadonlySet<string> = new Set(['note', 'stamp', 'fail', 'forget'])

type Act = { readonly what: string; readonly detail: string; readonly why: string }
type Refusal = PlanAnswer['unschedulable'][number] & {
  readonly reason: { readonly code: string; readonly text: string }
}

const actColumns: readonly Column<Act & { readonly count: number }>[] = [
  { title: 'ACTION', of: ({ what }) => what },
  { title: 'TIMES', of: ({ count }) => (count === 1 ? ' ' : `×${String(count)}`) },
  { title: 'WHAT', of: ({ detail }) => detail },
  { title: 'WHY', of: ({ why }) => why, shrink: true },
]

const refusalColumns: readonly Column<Refusal>[] = [
  { title: 'WORKLOAD', of: ({ workload }) => workload },
  { title: 'COUNT', of: ({ count }) => String(count), align: 'right' },
  { title: 'REASON', of: ({ reason }) => ({ text: reason.code, colour: 'red' }) },
  { title: 'TEXT', of: ({ reason }) => reason.text, shrink: true },
]

/** What is read of an action: those fields that tell something, where it has them. */
const actionSchema = z.object({
  kind: z.string(),
  node: z.string().optional().catch(undefined),
  to: z.string().optional().catch(undefined),
  launchId: z.string().optional().catch(undefined),
  replica: z
    .union([z.string(), z.object({ id: z.string(), workload: z.string() })])
    .optional()
    .catch(undefined),
  launch: z
    .object({
      pool: z.string(),
      capacityType: z.string(),
      candidates: z.array(z.object({ instanceType: z.string(), zone: z.string() })),
      claims: z.array(z.unknown()),
    })
    .optional()
    .catch(undefined),
  reason: z
    .union([z.string(), z.object({ text: z.string() })])
    .optional()
    .catch(undefined),
})
type ReadAction = z.infer<typeof actionSchema>

function actOf(action: PlanAnswer['actions'][number]): Act {
  const read = actionSchema.parse(action)
  const { reason } = read
  return {
    what: read.kind,
    detail: read.launch === undefined ? thingsOf(read) : launchText(read.launch),
    why: typeof reason === 'string' ? reason : (reason?.text ?? ''),
  }
}

function thingsOf({ node, replica, to, launchId }: ReadAction): string {
  const what = typeof replica === 'object' ? replica.workload : replica
  const where = node === undefined ? undefined : what === undefined ? node : `on ${node}`
  return [launchId, what, where, to === undefined ? undefined : `to ${to}`]
    .filter(Boolean)
    .join(' ')
}

const TYPES_SHOWN = 3

/** `2 × spot m7a.large, c7a.large or 4 more, pool general, zone us-east-1a` */
function launchText({
  pool,
  capacityType,
  candidates,
  claims,
}: NonNullable<ReadAction['launch']>): string {
  const types = [...new Set(candidates.map(({ instanceType }) => instanceType))]
  const zones = [...new Set(candidates.map(({ zone }) => zone))]
  const more = types.length - TYPES_SHOWN
  const others = more > 0 ? ` or ${String(more)} more` : ''
  const named = types.slice(0, TYPES_SHOWN).join(', ')
  return [
    `${String(claims.length)} × ${capacityType} ${named}${others}`,
    `pool ${pool}`,
    zones.length === 1 ? `zone ${zones.join('')}` : `${String(zones.length)} zones`,
  ].join(', ')
}
