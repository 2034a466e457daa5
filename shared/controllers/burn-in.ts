/**
 * Turns a node's burn-in report into its verdict.
 *
 * Level-triggered: a stream record only names the report, which is read again by key together with
 * the assignment that asked for it; and a schedule looks at every node whose attempt has no verdict
 * yet, so a lost record delays a verdict and loses nothing. A verdict, once given for an attempt
 * and a boot, is never made milder: an agent that changes its story has to pass another attempt.
 */
import { z } from 'zod'
import { sameJson } from '../base/equal.ts'
import { describeError, DroverError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Clock } from '../cloud/clock.ts'
import { assignmentSchema } from '../model/assignment.ts'
import { eventId } from '../model/event.ts'
import type { GpuIdentity } from '../model/hardware.ts'
import { LIMITS } from '../model/limits.ts'
import { reportSchema } from '../model/report.ts'
import { VERDICT_ORDER, verdictNameSchema, verdictSchema, type Verdict } from '../model/verdict.ts'
import { appendBurnIn } from '../store/history.ts'
import { keys } from '../store/keys.ts'
import { absent, equal, type Change, type Store } from '../store/store.ts'
import { countVerdicts } from './failure-rates.ts'
import { remember, whyRefused, withCertificate, type HardwarePorts } from './hardware.ts'
import { judge, refuse } from './judge.ts'

export type BurnInPorts = {
  store: Pick<Store, 'get' | 'query' | 'write'>
  history: HardwarePorts['history']
  clock: Pick<Clock, 'now'>
  log: Logger
}

/** What became of one report. */
export type BurnInOutcome =
  | { readonly outcome: 'written'; readonly verdict: Verdict }
  | { readonly outcome: 'unchanged' | 'overtaken' | 'none'; readonly reason: string }

export class BurnInError extends DroverError {
  constructor(failures: readonly { arn: string; text: string }[]) {
    super({
      code: 'ReportsNotJudged',
      text: `${String(failures.length)} reports were not judged`,
      seen: failures.slice(0, 5),
      next: 'they are judged again; nothing needs doing unless this lasts',
    })
  }
}

/** Judges the reports that a batch of stream records names. */
export async function judgeChanges(ports: BurnInPorts, changes: readonly Change[]): Promise<void> {
  const arns = changes.filter(isNews).map(({ key }) => key.pk.slice(REPORT_PREFIX.length))
  await judgeEach(ports, arns)
}

/** A report goes on telling of the last burn-in long after it was judged. */
function isNews({ before, after, expired }: Change): boolean {
  if (expired || after?.['kind'] !== 'report') return false
  if (before === undefined) return true
  return before['bootId'] !== after['bootId'] || !sameJson(before['burnIn'], after['burnIn'])
}

/** Judges every node whose current attempt has no verdict yet. */
export async function judgePending(ports: BurnInPorts): Promise<void> {
  const arns: string[] = []
  let after: string | undefined
  do {
    const page = await ports.store.query(keys.node('').pk, after === undefined ? {} : { after })
    for (const item of page.items) {
      const node = testedNodeSchema.safeParse(item)
      if (!node.success) ports.log.warn('a node cannot be read', { name: item.sk })
      else if (node.data.machine !== undefined && node.data.burnIn?.verdict === undefined) {
        arns.push(node.data.machine.arn)
      }
    }
    after = page.next
  } while (after !== undefined)
  await judgeEach(ports, arns)
}

/**
 * The two facts of a node that matter here; a node that is odd elsewhere is judged all the same.
 */
const testedNodeSchema = z.object({
  machine: z.object({ arn: z.string() }).optional(),
  burnIn: z.object({ verdict: verdictNameSchema.optional() }).optional(),
})

const REPORT_PREFIX = keys.report('').pk

async function judgeEach(ports: BurnInPorts, arns: readonly string[]): Promise<void> {
  const failures: { arn: string; text: string }[] = []
  const written: Verdict[] = []
  for (const arn of new Set(arns)) {
    // One node's trouble must not keep the others waiting for their verdicts.
    try {
      const result = await judgeReport(ports, arn)
      if (result.outcome === 'written') written.push(result.verdict)
      const text = result.outcome === 'written' ? result.verdict.verdict : result.reason
      ports.log.info('burn-in looked at', { arn, outcome: result.outcome, seen: text })
    } catch (error) {
      failures.push({ arn, text: describeError(error) })
    }
  }
  await countVerdicts(ports, written)
  if (failures.length > 0) throw new BurnInError(failures)
}

/** Judges the report of one node as it stands now. */
export async function judgeReport(ports: BurnInPorts, arn: string): Promise<BurnInOutcome> {
  const { store, clock } = ports
  const report = reportSchema.safeParse(await store.get(keys.report(arn)))
  if (!report.success) return { outcome: 'none', reason: 'there is no report that can be read' }
  const assignment = assignmentSchema.safeParse(await store.get(keys.assignment(arn)))
  if (!assignment.success) return { outcome: 'none', reason: 'nothing is assigned to it' }

  const facts = { arn, report: report.data, assignment: assignment.data, nowMs: clock.now() }
  const { gpus = [] } = report.data
  // Before anything else: a suite that asks nothing of GPUs must not clear one that is known.
  const refusal = await whyRefused(ports, { arn, gpus })
  const refused = refusal === undefined ? undefined : refuse(facts, refusal)
  if (refused !== undefined) {
    return keepVerdict(ports, refused, () => record(ports, { verdict: refused, gpus }))
  }
  const judgement = judge(facts)
  if (judgement.judged) {
    const told = report.data.burnIn?.checks ?? []
    const found = { verdict: judgement.verdict, gpus, assignment: assignment.data }
    const verdict = await withCertificate(ports, found)
    const judged = { ...found, verdict, told }
    return keepVerdict(ports, verdict, async () => {
      await remember(ports, judged)
      await record(ports, judged)
    })
  }
  return { outcome: 'none', reason: judgement.reason }
}

type Recorded = { readonly verdict: Verdict; readonly gpus: readonly GpuIdentity[] }

/** For people who look for what became of machines that are long gone. */
async function record({ store, history }: BurnInPorts, { verdict, gpus }: Recorded): Promise<void> {
  const { node, arn, suite, attempt, checks, atMs } = verdict
  const known = recordedNodeSchema.safeParse(await store.get(keys.node(node))).data
  await appendBurnIn(history, {
    ...{ kind: 'burn-in', node, arn, suite, attempt, verdict: verdict.verdict, checks, atMs },
    ...{ pool: known?.pool, ...known?.machine },
    id: eventId({ atMs, writer: node, n: attempt }),
    gpus: gpus.map((own) => own.uuid),
  })
}

const recordedNodeSchema = z.object({
  pool: z.string(),
  machine: z.object({ instanceType: z.string(), zone: z.string() }).optional(),
})

/** `before` is done once it is clear that the verdict is new, and before it can be seen. */
async function keepVerdict(
  { store }: BurnInPorts,
  verdict: Verdict,
  before: () => Promise<void>,
): Promise<BurnInOutcome> {
  const key = keys.verdict(verdict.node)
  const stored = await store.get(key)
  const seen = verdictSchema.safeParse(stored)
  if (seen.success) {
    const { atMs, ...said } = seen.data
    if (sameJson({ ...said, atMs }, { ...verdict, atMs })) {
      return { outcome: 'unchanged', reason: 'the same was said before' }
    }
    if (isMilder(verdict, seen.data)) {
      return { outcome: 'unchanged', reason: `it was ${said.verdict} before and cannot get better` }
    }
  }
  await before()
  const ttl = Math.floor(verdict.atMs / 1000) + LIMITS.verdictDays * 86_400
  const seenAtMs = stored?.['atMs']
  const result = await store.write({
    kind: 'put',
    item: { ...key, ...verdict, ttl },
    when: [typeof seenAtMs === 'number' ? equal('atMs', seenAtMs) : absent],
  })
  if (result.applied) return { outcome: 'written', verdict }
  return { outcome: 'overtaken', reason: 'another verdict was written meanwhile' }
}

/** True when both judge the same run and the new one says less. */
function isMilder(now: Verdict, before: Verdict): boolean {
  const sameRun =
    now.arn === before.arn &&
    now.bootId === before.bootId &&
    now.attempt === before.attempt &&
    now.suite === before.suite
  return sameRun && VERDICT_ORDER.indexOf(now.verdict) < VERDICT_ORDER.indexOf(before.verdict)
}
