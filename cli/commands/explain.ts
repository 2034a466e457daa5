/**
 * `drover explain`: replica by replica, why it is where it is, or why it is nowhere.
 */
import { explainAnswerSchema, type ExplainAnswer } from '#shared/protocol/api.ts'
import type { Command } from '../command.ts'
import { namedTarget, objectPath } from '../kinds.ts'
import { orSuggest } from '../lookup.ts'
import { table, type Column } from '../render/table.ts'
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

export const explain: Command = {
  name: 'explain',
  group: 'Look',
  summary: 'say of each replica of a workload why it is where it is, or waits',
  arguments: [{ name: 'name', summary: 'the workload' }],
  examples: ['drover explain web'],
  async run(context, input) {
    const target = namedTarget('workload', input.argument('name'))
    const path = `${objectPath(target)}/explain`
    const answer = await orSuggest(context, target, () =>
      context.api.get(path, explainAnswerSchema),
    )
    const { replicas } = answer.value
    context.show(answer.body, () =>
      replicas.length === 0
        ? [`workload/${target.name} has no replicas, and wants none`]
        : table(columns, replicas.flatMap(rowsOf), context.style),
    )
  },
}
