/**
 * `drover explain`: replica by replica, why it is where it is, or why it is nowhere; of a node why
 * it is as it is; and of what fails whose fault it is.
 */
import {
  explainAnswerSchema,
  nodeExplainAnswerSchema,
  type ExplainAnswer,
  type NodeExplainAnswer,
} from '#shared/protocol/why-answers.ts'
import type { Command, Context, Input } from '../command.ts'
import { kindFrom, objectPath, targetFrom, type Target } from '../kinds.ts'
import { orSuggest } from '../lookup.ts'
import { indented, page } from '../render/page.ts'
import { table, type Column, type TableStyle } from '../render/table.ts'
import { failureSection } from '../views/failure.ts'
import { phaseCell } from '../views/replica.ts'

type Explained = ExplainAnswer['replicas'][number]
/** A replica has a row for each of its reasons, and its own fields in the first alone. */
type Row = Explained & { readonly reason: number }

const first =
  (of: (row: Explained) => string): Column<Row>['of'] =>
  (row) =>
    row.reason === 0 ? of(row) : ' '

const columns: readonly Column<Row>[] = [
  { title: 'REPLICA', of: first(({ id }) => id) },
  { title: 'PHASE', of: (row) => (row.reason === 0 ? phaseCell(row) : ' ') },
  { title: 'NODE', of: first(({ node }) => node ?? '') },
  { title: 'REASON', of: ({ reasons, reason }) => reasons[reason]?.code ?? '' },
  { title: 'TEXT', of: ({ reasons, reason }) => reasons[reason]?.text ?? '', shrink: true },
]

const rowsOf = (own: Explained): readonly Row[] =>
  (own.reasons.length === 0 ? [0] : own.reasons.keys().toArray()).map((reason) => ({
    ...own,
    reason,
  }))

const replicaLines = (replicas: readonly Explained[], style: TableStyle): readonly string[] =>
  table(columns, replicas.flatMap(rowsOf), style)

/** Of replicas on one node, which is named above. */
const columnsHere = columns.filter(({ title }) => title !== 'NODE')

const EXPLAINABLE = ['workload', 'node'] as const
type Explainable = Target<(typeof EXPLAINABLE)[number]>

export const explain: Command = {
  name: 'explain',
  group: 'Look',
  summary: 'say why replicas are where they are, or wait, why a node is as it is, and what fails',
  arguments: [
    { name: 'what', summary: 'the workload; or KIND/NAME, or workload or node and a name' },
    { name: 'name', summary: 'its name', optional: true },
  ],
  examples: ['drover explain web', 'drover explain node general-4-1'],
  async run(context, input) {
    const target = targetOf(input)
    if (target.kind === 'node') await explainNode(context, target)
    else await explainWorkload(context, target)
  },
}

function targetOf(input: Input): Explainable {
  const [what, name] = [input.argument('what'), input.optional('name')]
  if (name !== undefined) return { kind: kindFrom(what, EXPLAINABLE), name }
  return what.includes('/') ? targetFrom(what, EXPLAINABLE) : { kind: 'workload', name: what }
}

async function explainWorkload(context: Context, target: Explainable): Promise<void> {
  const answer = await orSuggest(context, target, () =>
    context.api.get(`${objectPath(target)}/explain`, explainAnswerSchema),
  )
  const { replicas, failures, more } = answer.value
  const { style } = context
  const own = { of: 'WORKLOAD', style, nowMs: context.world.clock.now() } as const
  context.show(answer.body, () => [
    ...(replicas.length === 0
      ? [`workload/${target.name} has no replicas, and wants none`]
      : replicaLines(replicas, style)),
    ...(more === undefined ? [] : [`and ${String(more)} more`]),
    ...page({ facts: [], sections: [failureSection(failures, own)] }, style.paint),
  ])
}

async function explainNode(context: Context, target: Explainable): Promise<void> {
  const answer = await orSuggest(context, target, () =>
    context.api.get(`${objectPath(target)}/explain`, nodeExplainAnswerSchema),
  )
  context.show(answer.body, () => nodeLines(context, answer.value))
}

type Reason = NodeExplainAnswer['reasons'][number]

const reasonColumns: readonly Column<Reason>[] = [
  { title: 'REASON', of: ({ code }) => code },
  { title: 'TEXT', of: ({ text }) => text, shrink: true },
]

function nodeLines({ style, world }: Context, node: NodeExplainAnswer): readonly string[] {
  const { replicas, reasons, failures } = node
  const rows = replicas.flatMap(rowsOf)
  const lines = rows.length === 0 ? [] : table(columnsHere, rows, indented(style))
  return page(
    {
      facts: [
        ['Node', node.name],
        ['Phase', node.phase],
      ],
      sections: [
        { title: 'Why', lines: table(reasonColumns, reasons, indented(style)) },
        { title: 'Replicas', lines },
        failureSection(failures, { of: 'NODE', style, nowMs: world.clock.now() }),
      ],
    },
    style.paint,
  )
}
