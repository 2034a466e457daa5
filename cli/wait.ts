/**
 * Waiting until things are as asked, and saying meanwhile how far they are.
 *
 * On a terminal one line lives; in a pipe a line is written whenever the story changes. A roll-out
 * that drover has given up on ends the wait at once: nothing more would happen.
 */
import { LIMITS } from '#shared/model/limits.ts'
import { nodeAnswerSchema, type NodeAnswer, type WorkloadObject } from '#shared/protocol/api.ts'
import { z } from 'zod'
import type { Context } from './command.ts'
import { CliError, InterruptedError, UsageError } from './errors.ts'
import { objectPath, textOf, type Target } from './kinds.ts'
import { workloadAnswer } from './listing.ts'
import { orSuggest } from './lookup.ts'
import { makePatience } from './patience.ts'
import { harmless } from './render/paint.ts'
import { formatDuration, formatTook } from './render/time.ts'
import { isComplete, isSettled, readyShare, workloadWhy } from './views/workload.ts'

export const GOALS = ['ready', 'deleted'] as const
/** A roll-out is complete once nothing older runs: `drover rollout status --wait` asks for it. */
export type Goal = (typeof GOALS)[number] | 'complete'
export type WaitKind = 'workload' | 'pool' | 'team' | 'node'
export type WaitTarget = Target<WaitKind>

export type WaitOptions = {
  readonly goal: Goal
  readonly timeoutMs: number
  /** The server has answered this very command before. */
  readonly hasAnswered?: boolean
}

/** Where one target stands. `failed`: it will not get there by waiting. */
type Probe = {
  readonly done: boolean
  readonly text: string
  readonly failed?: string
  readonly body?: unknown
}

/**
 * Returns once all are there, with the API's JSON of those that are; throws CliError when the time
 * is over or one cannot get there.
 */
export async function waitFor(
  context: Context,
  targets: readonly WaitTarget[],
  options: WaitOptions,
): Promise<readonly unknown[]> {
  refuseHopeless(targets, options.goal)
  const { clock, interrupted } = context.world
  const startedMs = clock.now()
  const progress = makeProgress(context)
  const { timeoutMs, hasAnswered = false } = options
  const patiently = makePatience(context, { untilMs: startedMs + timeoutMs, hasAnswered })
  try {
    for (;;) {
      const probes = await patiently(() =>
        Promise.all(targets.map((target) => probe(context, target, options.goal))),
      )
      const tookMs = clock.now() - startedMs
      const open = probes.filter(({ done }) => !done)
      if (open.length === 0) {
        progress.end()
        const done = doneText(probes, options.goal)
        if (!context.json) context.line(`${done} after ${formatTook(tookMs)}`)
        return probes.flatMap(({ body }) => (body === undefined ? [] : [body]))
      }
      const failed = open.find((own) => own.failed !== undefined)
      if (failed?.failed !== undefined) throw hopeless(failed.failed, targets)
      if (tookMs >= options.timeoutMs) throw timedOut(open, { targets, options })
      progress.tell(open.map(({ text }) => text).join('; '), tookMs)
      await clock.sleep(Math.min(LIMITS.cliWaitPollMs, options.timeoutMs - tookMs))
      if (interrupted.aborted) throw new InterruptedError()
    }
  } finally {
    progress.end()
  }
}

function refuseHopeless(targets: readonly WaitTarget[], goal: Goal): void {
  if (goal === 'deleted') return
  const bad = targets.find(({ kind }) => kind !== 'workload' && kind !== 'node')
  if (bad === undefined) return
  throw new UsageError(
    `a ${bad.kind} is never "ready"`,
    'wait for a workload or a node to be ready',
  )
}

async function probe(context: Context, target: WaitTarget, goal: Goal): Promise<Probe> {
  const path = objectPath(target)
  if (goal === 'deleted') {
    const found = await context.api.find(path, leftSchema)
    if (found === undefined) return { done: true, text: `${textOf(target)} is gone` }
    return { done: false, text: `${textOf(target)} ${whatIsLeft(found.value)}` }
  }
  if (target.kind === 'node') {
    const { value, body } = await orSuggest(context, target, () =>
      context.api.get(path, nodeAnswerSchema),
    )
    return { ...nodeProbe(value), body }
  }
  const { value, body } = await orSuggest(context, target, () =>
    context.api.get(path, workloadAnswer),
  )
  return { ...workloadProbe(value, goal), body }
}

/** Reasons after which a roll-out stands still until a person does something. */
const ENDED: ReadonlySet<string> = new Set(['ProgressDeadlineExceeded', 'RolloutHalted'])

function workloadProbe(workload: WorkloadObject, goal: Goal): Probe {
  const { name, status, generation } = workload
  const text = `workload/${name} ${readyShare(workload)} ready`
  const isThere = goal === 'complete' ? isComplete(workload) : isSettled(workload)
  if (isThere) return { done: true, text: `workload/${name} is ${goal} (${readyShare(workload)})` }
  if (status.deleting === true)
    return { done: false, text, failed: `workload/${name} is being deleted` }
  if (status.observedGeneration < generation)
    return { done: false, text: `workload/${name} not seen yet` }
  const ended = status.conditions.find(
    (own) => own.type === 'Progressing' && !own.status && ENDED.has(own.reason),
  )
  const left = status.rollout?.old ?? 0
  const behind = status.updated < status.desired ? `, ${String(status.updated)} updated` : ''
  const old = left > 0 ? `${behind}, ${String(left)} old` : behind
  const why = workloadWhy(workload)
  return {
    done: false,
    text: `${text}${old}${why === '' ? '' : ` (${why})`}`,
    ...(ended === undefined ? {} : { failed: `workload/${name}: ${ended.reason}: ${ended.text}` }),
  }
}

function nodeProbe(node: NodeAnswer): Probe {
  const text = `node/${node.name} is ${node.phase}`
  if (node.phase === 'ready') return { done: true, text }
  if (node.phase === 'draining' || node.phase === 'terminating')
    return { done: false, text, failed: text }
  return { done: false, text }
}

const leftSchema = z.object({
  phase: z.string().optional(),
  replicas: z.array(z.string()).optional(),
  status: z
    .object({
      assigned: z.int().optional(),
      nodes: z.int().optional(),
      deleting: z.boolean().optional(),
    })
    .optional(),
})

function whatIsLeft({ phase, replicas, status }: z.infer<typeof leftSchema>): string {
  if (phase !== undefined) return `is ${phase}, ${String(replicas?.length ?? 0)} replicas on it`
  if (status?.deleting !== true) return 'is there, and nobody has deleted it'
  if (status.assigned !== undefined) return `is stopping, ${String(status.assigned)} replicas left`
  return status.nodes === undefined ? 'is still there' : `has ${String(status.nodes)} nodes left`
}

type Progress = { tell(text: string, tookMs: number): void; end(): void }

const CLEAR_LINE = '\r\u001b[K'

function makeProgress({ world: { err }, json }: Context): Progress {
  let last = ''
  let open = false
  return {
    tell: (text, tookMs) => {
      if (err.isTty && !json) {
        const line = Array.from(`${formatDuration(tookMs)}  ${text}`)
          .slice(0, err.columns - 1)
          .join('')
        err.write(CLEAR_LINE + harmless(line))
        open = true
      } else if (text !== last && !json) err.write(`${harmless(text)}\n`)
      last = text
    },
    end: () => {
      if (open) err.write(CLEAR_LINE)
      open = false
    },
  }
}

function doneText(probes: readonly Probe[], goal: WaitOptions['goal']): string {
  return probes.length <= 3
    ? probes.map(({ text }) => text).join(', ')
    : `all ${String(probes.length)} are ${goal === 'deleted' ? 'gone' : goal}`
}

/** The first workload among them is the one to ask about. */
function lookAt(targets: readonly WaitTarget[]): string {
  const workload = targets.find(({ kind }) => kind === 'workload')
  if (workload !== undefined) return `drover explain ${workload.name}`
  const first = targets[0]
  return first === undefined ? 'drover events' : `drover describe ${first.kind} ${first.name}`
}

function hopeless(text: string, targets: readonly WaitTarget[]): CliError {
  return new CliError({ code: 'WillNotHappen', text, next: lookAt(targets) })
}

type Late = { readonly targets: readonly WaitTarget[]; readonly options: WaitOptions }

function timedOut(open: readonly Probe[], { targets, options }: Late): CliError {
  const told = open.map(({ text }) => text).join('; ')
  return new CliError({
    code: 'WaitedInVain',
    text: `not ${options.goal} within ${formatDuration(options.timeoutMs)}: ${told}`,
    next: lookAt(targets),
  })
}
