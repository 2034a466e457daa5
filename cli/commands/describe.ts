/**
 * `drover describe`: everything about one thing, and what happened to it lately.
 */
import { LIMITS } from '#shared/model/limits.ts'
import {
  eventAnswerSchema,
  nodeAnswerSchema,
  replicaAnswerSchema,
  type ReplicaAnswer,
} from '#shared/protocol/api.ts'
import { isNotFound, type Answer } from '../api.ts'
import type { Command, Context } from '../command.ts'
import { UsageError } from '../errors.ts'
import { kindFrom, objectPath, PATH_OF, targetFrom, textOf, type Target } from '../kinds.ts'
import { poolAnswer, teamAnswer, workloadAnswer } from '../listing.ts'
import { orSuggest } from '../lookup.ts'
import { conditionLines } from '../render/conditions.ts'
import { indented, page, type Fact, type Section } from '../render/page.ts'
import { table, type TableStyle } from '../render/table.ts'
import { burnInSection, nodeFacts, poolFacts, teamFacts, workloadFacts } from '../views/facts.ts'
import { scaleSection } from '../views/scale.ts'
import { ownEventColumns } from '../views/event.ts'
import { nodeColumns } from '../views/node.ts'
import { replicaColumns } from '../views/replica.ts'
import { cursorAt } from './events.ts'

const DESCRIBABLE = ['workload', 'pool', 'team', 'node'] as const
type Describable = Target<(typeof DESCRIBABLE)[number]>

export const describe: Command = {
  name: 'describe',
  group: 'Look',
  summary: 'tell everything about a workload, node, pool or team',
  arguments: [
    { name: 'kind', summary: 'workload, node, pool or team; or KIND/NAME at once' },
    { name: 'name', summary: 'its name', optional: true },
  ],
  examples: ['drover describe workload web', 'drover describe node general-4-1'],
  async run(context, input) {
    const [kind, name] = [input.argument('kind'), input.optional('name')]
    if (name === undefined && !kind.includes('/')) {
      throw new UsageError('NAME is missing', `drover describe ${kind} NAME`)
    }
    const target =
      name === undefined
        ? targetFrom(kind, DESCRIBABLE)
        : { kind: kindFrom(kind, DESCRIBABLE), name }
    const { answer, describe: lines } = await orSuggest(context, target, () =>
      read(context, target),
    )
    if (context.json) {
      context.show(answer.body, () => [])
      return
    }
    const { facts, sections } = await lines()
    const events = await eventSection(context, target)
    for (const line of page({ facts, sections: [...sections, events] }, context.style.paint)) {
      context.line(line)
    }
  },
}

type Told = { readonly facts: readonly Fact[]; readonly sections: readonly Section[] }
type Readout = {
  readonly answer: Answer<unknown>
  /** Asks for whatever else belongs to the picture. */
  readonly describe: () => Promise<Told>
}

async function read(context: Context, target: Describable): Promise<Readout> {
  const path = objectPath(target)
  const nowMs = context.world.clock.now()
  const style = indented(context.style)
  const conditions = (of: Parameters<typeof conditionLines>[0]): Section => ({
    title: 'Conditions',
    lines: of.length === 0 ? [] : conditionLines(of, { style, nowMs }),
  })
  const readers: Readonly<Record<Describable['kind'], () => Promise<Readout>>> = {
    workload: async () => {
      const answer = await context.api.get(path, workloadAnswer)
      return {
        answer,
        describe: async () => ({
          facts: workloadFacts(answer.value, context.style.paint),
          sections: [
            scaleSection(answer.value.status.scale, { style, nowMs }),
            conditions(answer.value.status.conditions),
            replicaSection(await replicasOf(context, { workload: target.name }), { style, nowMs }),
          ],
        }),
      }
    },
    pool: async () => {
      const answer = await context.api.get(path, poolAnswer)
      return {
        answer,
        describe: async () => ({
          facts: poolFacts(answer.value),
          sections: [
            conditions(answer.value.status.conditions),
            await nodeSection(context, target.name),
          ],
        }),
      }
    },
    team: async () => {
      const answer = await context.api.get(path, teamAnswer)
      const told = {
        facts: teamFacts(answer.value),
        sections: [conditions(answer.value.status.conditions)],
      }
      return { answer, describe: () => Promise.resolve(told) }
    },
    node: async () => {
      const answer = await context.api.get(path, nodeAnswerSchema)
      return {
        answer,
        describe: async () => ({
          facts: nodeFacts(answer.value, nowMs),
          sections: [
            conditions(answer.value.conditions),
            burnInSection(answer.value, style),
            replicaSection(await replicasOf(context, { node: target.name }), { style, nowMs }),
          ],
        }),
      }
    },
  }
  return readers[target.kind]()
}

async function replicasOf(
  context: Context,
  query: { readonly workload?: string; readonly node?: string },
): Promise<readonly ReplicaAnswer[]> {
  return (await context.api.list(PATH_OF.replica, replicaAnswerSchema, query)).value
}

function replicaSection(
  replicas: readonly ReplicaAnswer[],
  { style, nowMs }: { readonly style: TableStyle; readonly nowMs: number },
): Section {
  const lines = replicas.length === 0 ? [] : table(replicaColumns(nowMs), replicas, style)
  return { title: 'Replicas', lines }
}

async function nodeSection(context: Context, pool: string): Promise<Section> {
  const { value } = await context.api.list(PATH_OF.node, nodeAnswerSchema)
  const own = value.filter((node) => node.pool === pool)
  const columns = nodeColumns(context.world.clock.now())
  return {
    title: 'Nodes',
    lines: own.length === 0 ? [] : table(columns, own, indented(context.style)),
  }
}

const RECENT_MS = 86_400_000

async function eventSection(context: Context, target: Describable): Promise<Section> {
  const title = 'Events of the last day'
  const query = { object: textOf(target), after: cursorAt(context, RECENT_MS) }
  try {
    const { value } = await context.api.list(PATH_OF.event, eventAnswerSchema, query)
    const recent = value.slice(-LIMITS.cliDescribeEvents)
    if (recent.length === 0) return { title, lines: [] }
    const columns = ownEventColumns(context.world.clock.now())
    return { title, lines: table(columns, recent, indented(context.style)) }
  } catch (error) {
    // What has just gone may have no events either: the rest is still worth telling.
    if (isNotFound(error)) return { title, lines: [] }
    throw error
  }
}
