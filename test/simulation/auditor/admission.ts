/**
 * A replica is bound only to a node that passed its burn-in, and that may carry it.
 *
 * The auditor keeps its own list of admitted nodes: a node enters it at the write that makes it
 * ready, if the burn-in function's verdict on that very machine, boot, attempt and suite lets it;
 * and a check counts as passed only if a finished report of that run has told of it.
 * Specs are read in the scan of the pass that binds, since a person may change them meanwhile.
 */
import { typeByName } from '#shared/catalog/catalog.ts'
import { templateKey, type Assignment, type BoundReplica } from '#shared/model/assignment.ts'
import type { Node } from '#shared/model/node.ts'
import type { Report } from '#shared/model/report.ts'
import type { Verdict } from '#shared/model/verdict.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change, Item } from '#shared/store/store.ts'
import type { Caller, SeenOf } from '../traffic.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { hashOf, kindOf, nodeOf, reportOf, verdictOf } from './items.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import { whyNotMachine, whyNotPool } from './suits.ts'

const RULE = '1 bound after burn-in'

type Run = { readonly arn: string; readonly attempt: number; readonly suite: string }

export function makeAdmission(knowledge: Knowledge): Rule {
  const { truth, books, passes } = knowledge
  /** By node name: the run of the burn-in that let it in. */
  const admitted = new Map<string, Run>()

  /** By run: checks that finished reports of it have told of. */
  const told = new Map<string, Set<string>>()

  const hearReport = (report: Report | undefined): void => {
    if (report?.burnIn?.state !== 'finished') return
    const run = runOf({ ...report, ...report.burnIn })
    const names = told.get(run) ?? new Set()
    for (const { name } of report.burnIn.checks) names.add(name)
    told.set(run, names)
  }
  const judgeVerdict = (verdict: Verdict | undefined, by: Caller): Breach | undefined => {
    const names = verdict === undefined ? undefined : told.get(runOf(verdict))
    const untold = verdict?.checks.find(
      (own) => (own.verdict === 'PASS' || own.verdict === 'WARN') && names?.has(own.name) !== true,
    )
    if (verdict === undefined || untold === undefined) return undefined
    const text = `${untold.name} is ${untold.verdict}, and no finished report of it tells so`
    return { rule: RULE, text: `${by.label} judged ${verdict.node}: ${text}` }
  }
  const judgeEntry = ({ before, after }: Change, by: Caller): Breach | undefined => {
    const [was, node] = [nodeOf(before), nodeOf(after)]
    if (was !== undefined && node === undefined) admitted.delete(was.name)
    if (node === undefined || node.phase !== 'ready') return undefined
    if (was?.phase === 'ready' || was?.phase === 'draining') return undefined
    const text = whyNotAdmitted(node, verdictOf(truth.get(keys.verdict(node.name))))
    if (text !== undefined) {
      return { rule: RULE, text: `${by.label} made ${node.name} ready, and ${text}` }
    }
    const { attempt, suite } = node.burnIn ?? { attempt: 0, suite: '' }
    admitted.set(node.name, { arn: node.machine?.arn ?? '', attempt, suite })
    return undefined
  }
  const judgeBinding = (after: Assignment, bound: BoundReplica, by: Caller): string | undefined => {
    const node = books.nodes.get(after.node)
    if (node?.machine?.arn !== after.arn) return `no node ${after.node} has ${after.arn}`
    const text = whyNotOpen(node) ?? whyNotPassed(node, admitted.get(node.name))
    if (text !== undefined) return text
    const scan = passes.of(by)?.scan
    const now = verdictOf(scan?.get(keys.verdict(node.name)))
    // A run that could not tell takes nothing back: the node has proved itself before.
    if (now !== undefined && isOfBoot(now, node) && now.verdict === 'FAIL') {
      return 'the newest verdict on its present boot is FAIL'
    }
    const workload = scan?.workload(bound.workload)
    if (workload?.uid !== bound.uid || workload.deletedAtMs !== undefined) {
      return `no workload ${bound.workload} of uid ${bound.uid} was in the pass's scan`
    }
    const pool = scan?.pool(node.pool)
    if (pool === undefined || pool.deletedAtMs !== undefined) return `pool ${node.pool} is no more`
    const template = after.templates[templateKey(bound)]
    if (template !== undefined && hashOf(template) !== bound.version) {
      return `its template is version ${hashOf(template)} and not ${bound.version}`
    }
    return whyNotPool(workload.spec, pool.name, pool.spec) ?? whyNotOn(node, workload.spec)
  }
  return {
    see: {
      write: ({ by, changes }: SeenOf<'write'>) => {
        if (by.role === 'agent') for (const { after } of changes) hearReport(reportIn(after))
        if (by.role === 'burn-in') {
          return firstOf(changes, ({ key, after }) =>
            kindOf(key) === 'verdict' ? judgeVerdict(verdictOf(after), by) : undefined,
          )
        }
        if (by.role !== 'reconcile') return undefined
        const entry = firstOf(changes, (change) =>
          kindOf(change.key) === 'node' ? judgeEntry(change, by) : undefined,
        )
        const binding = firstOf(changes.filter(isBody), (change) => {
          const { after, added } = bodyChange(change)
          if (after === undefined) return undefined
          return firstOf(added, (bound) => {
            const text = judgeBinding(after, bound, by)
            if (text === undefined) return undefined
            return { rule: RULE, text: `${by.label} bound ${bound.id} to ${after.node}: ${text}` }
          })
        })
        return entry ?? binding
      },
    },
  }
}

function runOf(run: Run & { readonly bootId: string }): string {
  return [run.arn, run.bootId, String(run.attempt), run.suite].join(' ')
}

function reportIn(item: Item | undefined): Report | undefined {
  return item !== undefined && kindOf(item) === 'report' ? reportOf(item) : undefined
}

function whyNotAdmitted(node: Node, verdict: Verdict | undefined): string | undefined {
  const { burnIn, machine, bootId } = node
  if (burnIn === undefined || machine === undefined) return 'it was never tested'
  if (verdict === undefined) return 'there is no verdict on it'
  const told = `the verdict is ${verdict.verdict} on ${verdict.arn}, boot ${verdict.bootId}`
  const run = `attempt ${String(verdict.attempt)} of ${verdict.suite}`
  const same =
    verdict.arn === machine.arn &&
    verdict.attempt === burnIn.attempt &&
    verdict.suite === burnIn.suite &&
    verdict.bootId === bootId
  if (same && isGood(verdict)) return undefined
  const wanted = `attempt ${String(burnIn.attempt)} of ${burnIn.suite}, boot ${String(bootId)}`
  return `${told}, ${run}; it is in ${wanted}, on ${machine.arn}`
}

const isGood = ({ verdict }: Verdict): boolean => verdict === 'PASS' || verdict === 'WARN'

function isOfBoot(verdict: Verdict, { machine, bootId, burnIn }: Node): boolean {
  return (
    verdict.arn === machine?.arn &&
    verdict.bootId === bootId &&
    verdict.attempt === burnIn?.attempt &&
    verdict.suite === burnIn.suite
  )
}

function whyNotOpen(node: Node): string | undefined {
  if (node.phase !== 'ready') return `it is ${node.phase}`
  if (node.cordoned) return 'it is cordoned'
  if (node.closed === true) return 'it is closed for what its agent has found'
  if (node.drain !== undefined) return `it is drained (${node.drain.reason})`
  if (node.lostSinceMs !== undefined) return 'it is lost'
  return undefined
}

function whyNotPassed({ machine, burnIn }: Node, run: Run | undefined): string | undefined {
  if (run === undefined) return 'it has passed no burn-in'
  const same =
    run.arn === machine?.arn && run.attempt === burnIn?.attempt && run.suite === burnIn.suite
  if (same) return undefined
  return `it passed attempt ${String(run.attempt)} of ${run.suite} and is in another run`
}

function whyNotOn(
  { machine, capacityType, architecture }: Node,
  spec: Parameters<typeof whyNotMachine>[0],
): string | undefined {
  const type = typeByName.get(machine?.instanceType ?? '')
  const gpuModel = type?.gpuModel ?? machine?.gpuModel
  return whyNotMachine(spec, {
    zone: machine?.zone ?? '',
    capacityType,
    architecture: type?.architecture ?? architecture,
    ...(type === undefined ? {} : { family: type.family }),
    ...(gpuModel === undefined ? {} : { gpuModel }),
  })
}
