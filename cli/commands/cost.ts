/**
 * `drover cost`: what the herd costs, what it would cost on demand, and how little it could cost.
 */
import { costAnswerSchema, type CostAnswer } from '#shared/protocol/api.ts'
import type { Command, Context } from '../command.ts'
import {
  formatBound,
  formatMonthly,
  formatSaving,
  formatUsdPerHour,
  someUsd,
} from '../render/money.ts'
import { indented, page, type Fact } from '../render/page.ts'
import { table, type Column } from '../render/table.ts'
import { ageOf } from '../render/time.ts'

type PoolCost = CostAnswer['pools'][number]

const columns: readonly Column<PoolCost>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'NODES', of: ({ nodes }) => String(nodes), align: 'right' },
  { title: 'COST', of: ({ costUsdPerHour }) => formatUsdPerHour(costUsdPerHour), align: 'right' },
  {
    title: 'ON DEMAND',
    of: ({ onDemandUsdPerHour }) => formatUsdPerHour(onDemandUsdPerHour),
    align: 'right',
  },
  {
    title: 'SAVED',
    of: ({ costUsdPerHour, onDemandUsdPerHour }) =>
      formatSaving(costUsdPerHour, onDemandUsdPerHour),
    align: 'right',
  },
]

function factsOf(cost: CostAnswer, nowMs: number): readonly Fact[] {
  const { costUsdPerHour: now, onDemandUsdPerHour: onDemand } = cost
  const saving = formatSaving(now, onDemand)
  return [
    ['Fleet', `${formatUsdPerHour(now)}, ${formatMonthly(now)}`],
    [
      'On demand',
      `${formatUsdPerHour(onDemand)}${saving === '' ? '' : `, of which ${saving} is saved`}`,
    ],
    ['Headroom', someUsd(cost.headroomUsdPerHour)],
    ['Testing', someUsd(cost.testingUsdPerHour)],
    ['Surge', someUsd(cost.surgeUsdPerHour)],
    ['Leaving', someUsd(cost.leavingUsdPerHour)],
    ['Quarantined', someUsd(cost.quarantinedUsdPerHour)],
    ['Bound', boundText(cost, nowMs)],
  ]
}

function boundText({ boundUsdPerHour, boundAt, ...rest }: CostAnswer, nowMs: number): string {
  if (boundUsdPerHour === null) return 'not computed yet'
  const age = ageOf(boundAt ?? undefined, nowMs)
  return `${formatBound({ ...rest, boundUsdPerHour })} (computed ${age} ago)`
}

export const cost: Command = {
  name: 'cost',
  group: 'Look',
  summary: 'say what the herd costs an hour, pool by pool',
  examples: ['drover cost'],
  async run(context) {
    const answer = await context.api.get('/v1/cost', costAnswerSchema)
    context.show(answer.body, () => costLines(context, answer.value))
  },
}

function costLines({ style, world }: Context, answer: CostAnswer): readonly string[] {
  const pools = answer.pools.length === 0 ? [] : table(columns, answer.pools, indented(style))
  return page(
    {
      facts: factsOf(answer, world.clock.now()),
      sections: [{ title: 'Pools', lines: pools }],
    },
    style.paint,
  )
}
