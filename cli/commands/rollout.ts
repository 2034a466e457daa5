/**
 * `drover rollout`: where a roll-out stands, what came before, and the three ways to interfere.
 *
 * As with kubectl, a status is done (exit 0) only when the roll-out is: a script may ask it alone.
 */
import type { WorkloadObject } from '#shared/protocol/api.ts'
import { revisionsAnswerSchema } from '#shared/protocol/why-answers.ts'
import type { Command, Context } from '../command.ts'
import { CliError } from '../errors.ts'
import { namedTarget, objectPath } from '../kinds.ts'
import { workloadAnswer } from '../listing.ts'
import { orSuggest } from '../lookup.ts'
import { conditionLines } from '../render/conditions.ts'
import { indented, page, type Fact } from '../render/page.ts'
import { bar } from '../render/progress.ts'
import { table } from '../render/table.ts'
import { ageOf } from '../render/time.ts'
import { waitFor } from '../wait.ts'
import { revisionColumns } from '../views/revision.ts'
import { isComplete, isSettled, readyShare, workloadState, workloadWhy } from '../views/workload.ts'
import { timeoutOption, waitTimeoutMs } from './options.ts'

const NAME = { name: 'name', summary: 'the workload' } as const

const status: Command = {
  name: 'rollout status',
  group: 'Say what should run',
  summary: 'say how far a roll-out is; exit 1 while it is not complete',
  arguments: [NAME],
  options: [{ flags: '--wait', summary: 'return once it is complete' }, timeoutOption],
  examples: ['drover rollout status web', 'drover rollout status web --wait --timeout 10m'],
  async run(context, input) {
    const target = namedTarget('workload', input.argument('name'))
    if (input.flag('wait')) {
      await waitFor(context, [target], { goal: 'complete', timeoutMs: waitTimeoutMs(input) })
    }
    const answer = await orSuggest(context, target, () =>
      context.api.get(objectPath(target), workloadAnswer),
    )
    context.show(answer.body, () => statusLines(context, answer.value))
    if (!isComplete(answer.value)) throw incomplete(answer.value)
  },
}

function incomplete(workload: WorkloadObject): CliError {
  const { name, status: seen } = workload
  const why = workloadWhy(workload)
  const ready = seen.rollout?.ready ?? Math.min(seen.ready, seen.updated)
  const told = isSettled(workload)
    ? `${String(seen.rollout?.old ?? 0)} of older versions still run`
    : `${String(ready)} of ${String(seen.desired)} are ready at the newest version`
  return new CliError({
    code: 'RolloutIncomplete',
    text: `workload/${name}: the roll-out is not complete: ${why === '' ? told : why}`,
    // One that has failed goes on by nothing but another version.
    next:
      seen.rollout?.failed === undefined
        ? `drover rollout status ${name} --wait`
        : `drover rollout undo ${name}`,
  })
}

const history: Command = {
  name: 'rollout history',
  group: 'Say what should run',
  summary: 'say which versions are kept, and what each of them changed',
  arguments: [NAME],
  examples: ['drover rollout history web'],
  async run(context, input) {
    const target = namedTarget('workload', input.argument('name'))
    const answer = await orSuggest(context, target, () =>
      context.api.get(`${objectPath(target)}/revisions`, revisionsAnswerSchema),
    )
    const columns = revisionColumns(context.world.clock.now())
    context.show(answer.body, () => table(columns, answer.value.items, context.style))
  },
}

function statusLines({ style, world }: Context, workload: WorkloadObject): readonly string[] {
  const state = workloadState(workload)
  const { updated, desired, version, rollout: own, conditions } = workload.status
  const nowMs = world.clock.now()
  return page(
    {
      facts: [
        ['Workload', workload.name],
        ['State', style.paint(state.text, state.colour)],
        ['Why', workloadWhy(workload)],
        ['Version', version],
        ...(own === undefined ? [] : rolloutFacts(own, { desired, nowMs })),
        ['Updated', `${String(updated)}/${String(desired)}`],
        ['Ready', readyShare(workload)],
      ],
      sections: [
        {
          title: 'Conditions',
          lines:
            conditions.length === 0
              ? []
              : conditionLines(conditions, { style: indented(style), nowMs }),
        },
      ],
    },
    style.paint,
  )
}

type Rollout = NonNullable<WorkloadObject['status']['rollout']>

/** Which version is on its way in place of which, how far it is, and why it goes no further. */
function rolloutFacts(
  own: Rollout,
  { desired, nowMs }: { readonly desired: number; readonly nowMs: number },
): readonly Fact[] {
  const { active, stable, pending, undone, paused, failed, ready = 0, old = 0 } = own
  const failure =
    failed === undefined ? undefined : `${failed.text} (${ageOf(failed.at, nowMs)} ago)`
  return [
    ['On its way', pending === undefined ? undefined : `${active}; ${pending} waits for it`],
    ['Undone', undone === undefined ? undefined : `${undone}; ${active} runs instead`],
    ['Paused', paused === true ? 'a person holds it' : undefined],
    ['Failed', failure],
    ['Before', stable === undefined || stable === active ? undefined : `${stable}, the proven one`],
    ['Started', `${ageOf(own.started, nowMs)} ago`],
    ['Progress', `last ${ageOf(own.lastProgress, nowMs)} ago`],
    [
      'Roll-out',
      `${bar(ready / Math.max(1, desired))} ${String(ready)} of ${String(desired)} new, ` +
        `${String(old)} old`,
    ],
  ]
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
  history,
  verb({ verb: 'pause', summary: 'start no more new replicas of a new version', said: 'paused' }),
  verb({ verb: 'resume', summary: 'go on with a paused roll-out', said: 'goes on' }),
  verb({ verb: 'undo', summary: 'roll back to an earlier version', said: 'rolls back' }),
]
