/**
 * `drover rollout`: where a roll-out stands, and the three ways to interfere.
 */
import type { WorkloadObject } from '#shared/protocol/api.ts'
import type { Command, Context } from '../command.ts'
import { namedTarget, objectPath } from '../kinds.ts'
import { workloadAnswer } from '../listing.ts'
import { orSuggest } from '../lookup.ts'
import { conditionLines } from '../render/conditions.ts'
import { indented, page } from '../render/page.ts'
import { ageOf } from '../render/time.ts'
import { waitFor } from '../wait.ts'
import { readyShare, workloadState, workloadWhy } from '../views/workload.ts'
import { timeoutOption, waitTimeoutMs } from './options.ts'

const NAME = { name: 'name', summary: 'the workload' } as const

const status: Command = {
  name: 'rollout status',
  group: 'Say what should run',
  summary: 'say how far a roll-out is',
  arguments: [NAME],
  options: [{ flags: '--wait', summary: 'return once it has ended' }, timeoutOption],
  examples: ['drover rollout status web', 'drover rollout status web --wait --timeout 10m'],
  async run(context, input) {
    const target = namedTarget('workload', input.argument('name'))
    if (input.flag('wait')) {
      await waitFor(context, [target], { goal: 'ready', timeoutMs: waitTimeoutMs(input) })
    }
    const answer = await orSuggest(context, target, () =>
      context.api.get(objectPath(target), workloadAnswer),
    )
    context.show(answer.body, () => statusLines(context, answer.value))
  },
}

function statusLines({ style, world }: Context, workload: WorkloadObject): readonly string[] {
  const state = workloadState(workload)
  const { updated, desired, version, rollout: own } = workload.status
  const nowMs = world.clock.now()
  return page(
    {
      facts: [
        ['Workload', workload.name],
        ['State', style.paint(state.text, state.colour)],
        ['Why', workloadWhy(workload)],
        ['Version', version],
        ...(own?.stable === undefined || own.stable === version
          ? []
          : [['Before', `${own.stable}, the last that was whole`] as const]),
        ...(own === undefined
          ? []
          : [
              ['Started', `${ageOf(own.started, nowMs)} ago`] as const,
              ['Progress', `last ${ageOf(own.lastProgress, nowMs)} ago`] as const,
            ]),
        ['Updated', `${String(updated)}/${String(desired)}`],
        ['Ready', readyShare(workload)],
      ],
      sections: [
        {
          title: 'Conditions',
          lines: conditionLines(workload.status.conditions, { style: indented(style), nowMs }),
        },
      ],
    },
    style.paint,
  )
}

type Verb = 'pause' | 'resume' | 'undo'
type VerbFacts = { readonly verb: Verb; readonly summary: string; readonly said: string }

function verb({ verb: action, summary, said }: VerbFacts): Command {
  const to = { flags: '--to <version>', summary: 'this version, not the one before' }
  return {
    name: `rollout ${action}`,
    group: 'Say what should run',
    summary,
    arguments: [NAME],
    options: action === 'undo' ? [to] : [],
    examples: [`drover rollout ${action} web`],
    async run(context, input) {
      const target = namedTarget('workload', input.argument('name'))
      const version = input.text('to')
      const body = { action, ...(version === undefined ? {} : { to: version }) }
      const path = `${objectPath(target)}/rollout`
      const answer = await orSuggest(context, target, () =>
        context.api.call({ method: 'POST', path, body }, workloadAnswer),
      )
      context.show(answer.body, () => [`workload/${target.name} ${said}`])
      context.next(`drover rollout status ${target.name}`)
    },
  }
}

export const rollout: readonly Command[] = [
  status,
  verb({ verb: 'pause', summary: 'start no more new replicas of a new version', said: 'paused' }),
  verb({ verb: 'resume', summary: 'go on with a paused roll-out', said: 'goes on' }),
  verb({ verb: 'undo', summary: 'roll back to an earlier version', said: 'rolls back' }),
]
