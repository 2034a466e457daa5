/**
 * `drover scale`: another number of replicas.
 */
import { countFrom, type Command } from '../command.ts'
import { workloadAnswer } from '../listing.ts'
import { namedTarget, objectPath } from '../kinds.ts'
import { orSuggest } from '../lookup.ts'

export const scale: Command = {
  name: 'scale',
  group: 'Say what should run',
  summary: 'run another number of replicas of a workload',
  arguments: [
    { name: 'name', summary: 'the workload' },
    { name: 'replicas', summary: 'how many should run' },
  ],
  examples: ['drover scale web 5', 'drover scale batch 0'],
  async run(context, input) {
    const target = namedTarget('workload', input.argument('name'))
    const replicas = countFrom(input.argument('replicas'), 'replicas')
    const path = objectPath(target)
    const answer = await orSuggest(context, target, () =>
      context.api.call(
        { method: 'POST', path: `${path}/scale`, body: { replicas } },
        workloadAnswer,
      ),
    )
    const { ready } = answer.value.status
    context.show(answer.body, () => [
      `workload/${target.name}: ${String(replicas)} wanted, ${String(ready)} ready now`,
    ])
    context.next(`drover wait --for ready workload/${target.name}`)
  },
}
