/**
 * `drover apply`: what is written is what should run.
 */
import { z } from 'zod'
import type { ProblemFault } from '#shared/protocol/api.ts'
import type { Context, Command } from '../command.ts'
import { parseDocuments, type SpecDocument } from '../documents.ts'
import { CliError, ConnectionError, InterruptedError, linesOf } from '../errors.ts'
import { readSources } from '../files.ts'
import { objectPath, textOf, type Target } from '../kinds.ts'
import { waitFor, type WaitTarget } from '../wait.ts'
import { FILE_OPTION, timeoutOption, waitTimeoutMs } from './options.ts'

export const apply: Command = {
  name: 'apply',
  group: 'Say what should run',
  summary: 'make what is written in files so: pools and teams first, then workloads',
  options: [
    FILE_OPTION,
    { flags: '--wait', summary: 'return once the workloads are ready' },
    timeoutOption,
  ],
  examples: [
    'drover apply -f examples/quickstart.yaml',
    'drover apply -f specs/ --wait --timeout 10m',
    'generate-specs | drover apply -f -',
  ],
  async run(context, input) {
    const documents = parseDocuments(await readSources(input.texts('file'), context.world))
    const outcomes: Outcome[] = []
    for (const document of documents) {
      const outcome = await put(context, document)
      if (!context.json) tell(context, outcome, documents.length > 1)
      outcomes.push(outcome)
    }
    const bodies = outcomes.flatMap((own) => (own.kind === 'refused' ? [] : [own.body]))
    context.show(
      bodies.length === 1 && documents.length === 1 ? bodies[0] : { items: bodies },
      () => [],
    )
    throwRefused(context, outcomes)
    await afterwards(context, {
      outcomes,
      wait: input.flag('wait'),
      timeoutMs: waitTimeoutMs(input),
    })
  },
}

type Outcome = { readonly target: Target<'workload' | 'pool' | 'team'> } & (
  | {
      readonly kind: 'created' | 'changed' | 'unchanged'
      readonly body: unknown
      readonly warnings: readonly string[]
    }
  | { readonly kind: 'refused'; readonly error: CliError }
)

const generationSchema = z.object({
  generation: z.int(),
  warnings: z.array(z.object({ text: z.string() })).default([]),
  status: z.object({ deleting: z.boolean().optional() }).optional(),
})

/**
 * One refused document does not keep the others from being applied; a lost server does, and a
 * person who has had enough.
 */
async function put(context: Context, { noun, name, body }: SpecDocument): Promise<Outcome> {
  const target = { kind: noun, name }
  const path = objectPath(target)
  try {
    const before = await context.api.find(path, generationSchema)
    const after = await context.api.call({ method: 'PUT', path, body }, generationSchema)
    const isNew = before === undefined || before.value.status?.deleting === true
    const same = before?.value.generation === after.value.generation
    const warnings = after.value.warnings.map((own) => own.text)
    const kind = isNew ? 'created' : same ? 'unchanged' : 'changed'
    return { target, kind, body: after.body, warnings }
  } catch (error) {
    if (!(error instanceof CliError) || endsAll(error)) throw error
    return { target, kind: 'refused', error }
  }
}

const endsAll = (error: CliError): boolean =>
  error instanceof ConnectionError || error instanceof InterruptedError

/**
 * The reasons of a refusal stand with it, unless it is the only one and ends the command anyway.
 */
function tell(context: Context, outcome: Outcome, withReasons: boolean): void {
  const { paint } = context.style
  const name = textOf(outcome.target)
  if (outcome.kind !== 'refused') {
    context.line(`${name} ${paint(outcome.kind, outcome.kind === 'unchanged' ? 'dim' : 'green')}`)
    for (const text of outcome.warnings) context.note(`  warning: ${text}`)
    return
  }
  context.line(`${name} ${paint('refused', 'red')}`)
  if (!withReasons) return
  for (const line of linesOf(outcome.error)) context.note(`  ${line}`)
}

function throwRefused({ json }: Context, outcomes: readonly Outcome[]): void {
  const refused = outcomes.flatMap((own) => (own.kind === 'refused' ? [own] : []))
  const [first] = refused
  if (first === undefined) return
  if (outcomes.length === 1) throw first.error
  const counts = `${String(refused.length)} of ${String(outcomes.length)}`
  throw new CliError({
    code: 'Refused',
    text: `${counts} documents refused; the others are applied`,
    // In text they have been told with their documents.
    ...(json ? { faults: refused.flatMap(faultsIn) } : {}),
    next: 'mend them and apply again: what is applied stays as it is',
  })
}

function faultsIn({ target, error }: Outcome & { kind: 'refused' }): readonly ProblemFault[] {
  const own = error.faults.length === 0 ? [{ path: '', message: error.text }] : error.faults
  return own.map(({ path, message }) => ({
    path: [textOf(target), path].filter(Boolean).join(' '),
    message,
  }))
}

type Afterwards = {
  readonly outcomes: readonly Outcome[]
  readonly wait: boolean
  readonly timeoutMs: number
}

async function afterwards(
  context: Context,
  { outcomes, wait, timeoutMs }: Afterwards,
): Promise<void> {
  const workloads = outcomes.flatMap(({ target }): readonly WaitTarget[] =>
    target.kind === 'workload' ? [target] : [],
  )
  if (wait && workloads.length > 0) {
    await waitFor(context, workloads, { goal: 'ready', timeoutMs, hasAnswered: true })
    context.next('drover get workloads')
  } else if (workloads.length > 0) {
    context.next(`drover wait --for ready ${workloads.map(textOf).join(' ')}`)
  } else context.next('drover get pools')
}
