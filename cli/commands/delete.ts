/**
 * `drover delete`: what should no longer run, by name or by the files that said it should.
 */
import { z } from 'zod'
import type { Answer } from '../api.ts'
import { isNotFound } from '../api.ts'
import type { Command, Context, Input } from '../command.ts'
import { inDeleteOrder, parseDocuments } from '../documents.ts'
import { UsageError } from '../errors.ts'
import { readSources } from '../files.ts'
import { kindFrom, objectPath, targetFrom, textOf, type Target } from '../kinds.ts'
import { orSuggest } from '../lookup.ts'
import { waitFor, type WaitTarget } from '../wait.ts'
import { FILE_OPTION, timeoutOption, waitTimeoutMs } from './options.ts'

const DELETABLE = ['workload', 'pool', 'team'] as const
type Deletable = Target<(typeof DELETABLE)[number]>

export const remove: Command = {
  name: 'delete',
  group: 'Say what should run',
  summary: "end workloads, pools or teams; a workload's replicas stop in their grace time",
  arguments: [
    { name: 'kind', summary: 'workload, pool or team; or KIND/NAME at once', optional: true },
    { name: 'name', summary: 'its name', optional: true },
  ],
  options: [FILE_OPTION, { flags: '--wait', summary: 'return once they are gone' }, timeoutOption],
  examples: ['drover delete workload web', 'drover delete -f examples/quickstart.yaml --wait'],
  async run(context, input) {
    const { targets, byFile } = await targetsOf(context, input)
    const bodies: unknown[] = []
    const going: WaitTarget[] = []
    for (const target of targets) {
      const answer = await end(context, target, byFile)
      if (!context.json) context.line(`${textOf(target)} ${answer ? 'deleting' : 'is not there'}`)
      if (answer === undefined) continue
      bodies.push(answer.body)
      going.push(target)
    }
    context.show(byFile ? { items: bodies } : bodies[0], () => [])
    if (going.length === 0) return
    if (!input.flag('wait')) {
      context.next(`drover wait --for deleted ${going.map(textOf).join(' ')}`)
      return
    }
    await waitFor(context, going, {
      ...{ goal: 'deleted', timeoutMs: waitTimeoutMs(input), hasAnswered: true },
    })
  },
}

async function targetsOf(
  context: Context,
  input: Input,
): Promise<{ readonly targets: readonly Deletable[]; readonly byFile: boolean }> {
  const [kind, name, files] = [input.optional('kind'), input.optional('name'), input.texts('file')]
  if (kind !== undefined && files.length > 0) {
    throw new UsageError('delete takes either KIND NAME or -f, not both')
  }
  if (kind === undefined && files.length === 0) {
    throw new UsageError(
      'nothing to delete',
      'drover delete workload NAME, or drover delete -f FILE',
    )
  }
  if (kind === undefined) {
    const documents = parseDocuments(await readSources(files, context.world))
    const targets = inDeleteOrder(documents).map((own) => ({ kind: own.noun, name: own.name }))
    return { targets, byFile: true }
  }
  const target =
    name === undefined ? targetFrom(kind, DELETABLE) : { kind: kindFrom(kind, DELETABLE), name }
  return { targets: [target], byFile: false }
}

/** By file, what is not there needs no ending: the files say how it should be, and so it is. */
async function end(
  context: Context,
  target: Deletable,
  byFile: boolean,
): Promise<Answer<unknown> | undefined> {
  const request = { method: 'DELETE', path: objectPath(target) } as const
  const call = (): Promise<Answer<unknown>> => context.api.call(request, z.unknown())
  if (!byFile) return orSuggest(context, target, call)
  try {
    return await call()
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
