/**
 * `drover simulate`: what a trace of work would have cost, and how it would have fared.
 *
 * The real planner runs it, with all that stands around it on AWS, in virtual time on an emulated
 * market. Nothing is sent to any server.
 */
import { writeFile } from 'node:fs/promises'
import { LIMITS } from '#shared/model/limits.ts'
import type { Document } from '#shared/protocol/documents.ts'
import { countFrom, durationOption, type Command, type Context } from '../command.ts'
import { parseDocuments } from '../documents.ts'
import { CliError, InterruptedError, UsageError } from '../errors.ts'
import { readOneFile, readSources } from '../files.ts'
import { page } from '../render/page.ts'
import { makeProgress } from '../render/progress.ts'
import { formatTook, parseDuration } from '../render/time.ts'
import type { Storm } from '../simulate/storm.ts'

const DEFAULT_OUT = 'simulation.html'

export const simulate: Command = {
  name: 'simulate',
  group: 'Say what should run',
  summary: 'replay a trace of work on the planner in virtual time, and write a report',
  options: [
    {
      flags: '--trace <file>',
      summary: 'CSV: arrival_s, cpu, memory, … a row each',
      required: true,
    },
    { flags: '--pool <file>', summary: 'pools and teams that stand (may be repeated)', many: true },
    { flags: '--out <file>', summary: `the report (default: ${DEFAULT_OUT})` },
    { flags: '--seed <number>', summary: 'another market and other storms', parse: countFrom },
    { flags: '--for <duration>', summary: 'end then, not with the trace', parse: durationOption },
    {
      flags: '--storm <time=share>',
      summary: 'EC2 takes back that share of the spot machines, like 48h=30% (may be repeated)',
      many: true,
    },
  ],
  examples: [
    'drover simulate --trace examples/trace/work.csv --pool examples/trace/pools.yaml',
    'drover simulate --trace week.csv --pool pools.yaml --storm 48h=30% --out week.html',
  ],
  async run(context, input) {
    const { replayTrace } = await import('../simulate/session.ts')
    const trace = await readOneFile(input.text('trace') ?? '', LIMITS.traceMaxBytes)
    const documents = await readPools(context, input.texts('pool'))
    const out = input.text('out') ?? DEFAULT_OUT
    const startedMs = context.world.clock.now()
    const progress = makeProgress(context.world.err)
    const told = await replayTrace({
      ...{
        trace,
        documents,
        seed: input.number('seed') ?? 1,
        storms: input.texts('storm').map(stormFrom),
      },
      ...{ endsMs: input.number('for') },
      onProgress: (hours, ofHours) => {
        if (context.world.interrupted.aborted) throw new InterruptedError()
        progress(hours / ofHours, `${hours.toFixed(1)} of ${String(ofHours)} virtual hours`)
      },
    })
    await writeReport(out, told.page)
    const took = formatTook(context.world.clock.now() - startedMs)
    context.show(told.summary, () =>
      page(
        { facts: [...told.facts, ['Report', `${out}, after ${took}`]], sections: [] },
        context.style.paint,
      ),
    )
    context.next(`open ${out}`)
  },
}

/** `48h=30%` */
function stormFrom(text: string): Storm {
  const [when = '', share = '', ...more] = text.split('=')
  const atMs = parseDuration(when)
  const percent = /^(\d{1,3})%$/.exec(share)
  if (atMs !== undefined && percent !== null && more.length === 0 && Number(percent[1]) <= 100) {
    return { atMs, share: Number(percent[1]) / 100 }
  }
  throw new UsageError(`--storm: "${text}" is no storm`, 'write it like 48h=30%')
}

/** What the work of the trace runs on; the work itself is the trace's to tell. */
async function readPools(
  { world }: Context,
  paths: readonly string[],
): Promise<readonly Document[]> {
  if (paths.length === 0) throw new UsageError('--pool is missing', 'name a file with a Pool')
  const documents = parseDocuments(await readSources(paths, world)).map((own) => own.document)
  const workload = documents.find((own) => own.noun === 'workload')
  if (workload !== undefined) {
    throw new CliError({
      ...{ code: 'WorkloadInPools', text: `workload ${workload.name} stands beside the pools` },
      next: 'the trace alone says what runs: make it a row there',
    })
  }
  if (documents.some((own) => own.noun === 'pool')) return documents
  throw new CliError({ code: 'NoPool', text: `there is no Pool in ${paths.join(', ')}` })
}

async function writeReport(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CliError({ code: 'Unwritable', text: `${path} cannot be written: ${reason}`, cause })
  }
}
