/**
 * `drover node`: what a person may ask of one node.
 */
import { LIMITS } from '#shared/model/limits.ts'
import { nodeAnswerSchema, type NodeAnswer } from '#shared/protocol/api.ts'
import { secondsOption, type Command, type Option } from '../command.ts'
import { namedTarget, objectPath } from '../kinds.ts'
import { orSuggest } from '../lookup.ts'
import { formatDuration } from '../render/time.ts'

const DAY_SECONDS = 86_400

const deadline: Option = {
  flags: '--deadline <duration>',
  summary: `replicas are stopped after it in any case (${formatDuration(LIMITS.drainDefaultMs)})`,
  parse: secondsOption(DAY_SECONDS),
}
const force: Option = { flags: '--force', summary: 'do not drain it first: its replicas are lost' }

type Verb = {
  readonly verb: 'cordon' | 'uncordon' | 'drain' | 'retest' | 'terminate'
  readonly summary: string
  readonly options?: readonly Option[]
  /** What was brought about, as the rest of a sentence that starts with the node. */
  said(node: NodeAnswer, forced: boolean): string
  next(name: string): string
}

const describe = (name: string): string => `drover describe node ${name}`

const verbs: readonly Verb[] = [
  {
    verb: 'cordon',
    summary: 'give a node no new replicas; those it has stay',
    said: () => 'gets no new replicas',
    next: (name) => `drover node uncordon ${name}`,
  },
  {
    verb: 'uncordon',
    summary: 'withdraw a cordon or a drain',
    said: () => 'may get replicas again',
    next: describe,
  },
  {
    verb: 'drain',
    summary: 'move the replicas of a node elsewhere, replacement first, then give the node up',
    options: [deadline],
    said: (node) => `drains ${countOf(node)}${within(node)}`,
    next: (name) => `drover wait --for deleted node/${name}`,
  },
  {
    verb: 'retest',
    summary: 'let a node prove itself again with its burn-in checks',
    said: () => 'will be tested again',
    next: describe,
  },
  {
    verb: 'terminate',
    summary: 'end a node: drain it, then give the machine back',
    options: [deadline, force],
    said: (node, forced) =>
      forced ? 'is ended at once' : `drains ${countOf(node)}${within(node)}, then ends`,
    next: (name) => `drover wait --for deleted node/${name}`,
  },
]

const countOf = ({ replicas }: NodeAnswer): string =>
  `${String(replicas.length)} ${replicas.length === 1 ? 'replica' : 'replicas'}`

const within = ({ order }: NodeAnswer): string =>
  order === undefined ? '' : ` within ${formatDuration(order.deadlineSeconds * 1000)}`

const DRAIN_EXAMPLES = ['drover node drain general-4-1 --deadline 15m']

export const node: readonly Command[] = verbs.map(({ verb, summary, options, said, next }) => ({
  name: `node ${verb}`,
  group: 'Steer',
  summary,
  arguments: [{ name: 'name', summary: 'the node' }],
  options: options ?? [],
  examples: [`drover node ${verb} general-4-1`, ...(verb === 'drain' ? DRAIN_EXAMPLES : [])],
  async run(context, input) {
    const target = namedTarget('node', input.argument('name'))
    const deadlineSeconds = input.number('deadline')
    const forced = input.flag('force')
    const answer = await orSuggest(context, target, () =>
      context.api.call(
        {
          method: 'POST',
          path: `${objectPath(target)}/${verb}`,
          query: { force: forced ? 'true' : undefined },
          body: deadlineSeconds === undefined ? {} : { deadlineSeconds },
        },
        nodeAnswerSchema,
      ),
    )
    context.show(answer.body, () => [`node/${target.name} ${said(answer.value, forced)}`])
    context.next(next(target.name))
  },
}))
