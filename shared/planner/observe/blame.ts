/**
 * Judges which is to blame where a version fails on a node: the version, or the node.
 *
 * One failure proves nothing. What tells them apart is the company: a version that fails on many
 * nodes is bad, and so is a node on which versions of several workloads fail that are fine on
 * others. Nodes come first, so that a version which meets two bad ones is not taken for bad itself.
 * A node that is to blame is tested again (`retest.ts`); a version, nothing acts on yet.
 */
import { groupBy } from '../../base/order.ts'
import { remembered } from '../../base/remembered.ts'
import { templateKey, type Assignment } from '../../model/assignment.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Node } from '../../model/node.ts'
import type { ReplicaFailure, WorkloadStatus } from '../../model/status.ts'
import { isAlive } from '../replicas.ts'

/** A replica that failed, and whose it is. */
export type Failed = ReplicaFailure & { readonly workload: string; readonly uid: string }
/** A version that is ready on a node. */
export type Fine = { readonly uid: string; readonly version: string; readonly node: string }

export type Evidence = { readonly failed: readonly Failed[]; readonly fine: readonly Fine[] }

/** A version on a node where replicas of it failed. */
export type Blamed = {
  readonly workload: string
  readonly uid: string
  readonly version: string
  readonly node: string
  /** How many replicas failed there, and how often in all. */
  readonly replicas: number
  readonly count: number
  readonly sinceMs: number
  readonly lastMs: number
  readonly blame: Verdict
}

export type Verdict = {
  readonly code: 'BadVersion' | 'BadNode' | 'Unclear'
  readonly text: string
}

/** A node and what is bound to it. */
export type Host = { readonly node: Node; readonly assignment: Assignment | undefined }

/** What the statuses remember, and what is fine in the herd now. */
export function evidenceOf(
  herd: readonly Host[],
  statuses: readonly Pick<WorkloadStatus, 'name' | 'uid' | 'failures'>[],
): Evidence {
  const failed = statuses.flatMap(({ name: workload, uid, failures = [] }) =>
    failures.map((own) => ({ ...own, workload, uid })),
  )
  return { failed, fine: failed.length === 0 ? [] : herd.flatMap(fineOn) }
}

function fineOn({ node, assignment }: Host): readonly Fine[] {
  return isAlive(node) && assignment !== undefined ? readyIn(assignment) : []
}

/** Each version once that has a ready replica there. */
const readyIn = remembered(({ node, replicas }: Assignment): readonly Fine[] => {
  const ready = replicas.filter((own) => own.order === 'run' && own.readySinceMs !== undefined)
  const byVersion = new Map(ready.map((own) => [templateKey(own), own]))
  return [...byVersion.values()].map(({ uid, version }) => ({ uid, version, node }))
})

type Pair = Omit<Blamed, 'blame'>

/** A verdict on each version and node that fail together, in the order in which they came. */
export function blame({ failed, fine }: Evidence): readonly Blamed[] {
  const pairs = pairsOf(failed)
  const book = openBook(pairs, fine)
  return pairs.map((pair) => ({ ...pair, blame: verdictOn(pair, book) }))
}

/** True where some version fails again and again on some node: no node is to blame before. */
export function failsAgain({ failed }: Evidence): boolean {
  return pairsOf(failed).some(isAgain)
}

const isAgain = ({ count }: Pair): boolean => count >= LIMITS.crashLoopRestarts

function pairsOf(failed: readonly Failed[]): readonly Pair[] {
  return [...groupBy(failed, (own) => `${templateKey(own)}@${own.node}`).values()].flatMap(
    (group): Pair[] => {
      const [first] = group
      if (first === undefined) return []
      const { workload, uid, version, node } = first
      return [
        {
          ...{ workload, uid, version, node, replicas: group.length },
          count: group.reduce((sum, own) => sum + own.count, 0),
          sinceMs: Math.min(...group.map((own) => own.sinceMs)),
          lastMs: Math.max(...group.map((own) => own.lastMs)),
        },
      ]
    },
  )
}

/** Who fails where and is fine where. */
type Book = {
  /** Nodes on which the version fails, and such on which it is fine. */
  readonly failsOn: (version: string) => ReadonlySet<string>
  readonly fineOn: (version: string) => ReadonlySet<string>
  /** Versions that are fine on the node. */
  readonly fineAt: (node: string) => ReadonlySet<string>
  /** Workloads that accuse the node: they fail there again and again, and are fine elsewhere. */
  readonly accusers: (node: string) => ReadonlySet<string>
}

const NOBODY: ReadonlySet<string> = new Set()

function openBook(pairs: readonly Pair[], fine: readonly Fine[]): Book {
  const fails = setsOf(pairs, templateKey, (own) => own.node)
  const isFine = ({ node, ...own }: Fine): boolean =>
    fails.get(templateKey(own))?.has(node) !== true
  const well = fine.filter(isFine)
  const wellOn = setsOf(well, templateKey, (own) => own.node)
  const wellAt = setsOf(well, (own) => own.node, templateKey)
  const again = pairs.filter(isAgain)
  const failsAgain = setsOf(again, templateKey, (own) => own.node)
  // Who fails again and again in most places has no word against any of them.
  const accusing = again.filter((own) => {
    const version = templateKey(own)
    return (wellOn.get(version)?.size ?? 0) >= (failsAgain.get(version)?.size ?? 0)
  })
  const accused = setsOf(
    accusing,
    (own) => own.node,
    (own) => own.uid,
  )
  return {
    failsOn: (version) => fails.get(version) ?? NOBODY,
    fineOn: (version) => wellOn.get(version) ?? NOBODY,
    fineAt: (node) => wellAt.get(node) ?? NOBODY,
    accusers: (node) => accused.get(node) ?? NOBODY,
  }
}

function setsOf<T>(
  list: readonly T[],
  key: (own: T) => string,
  member: (own: T) => string,
): ReadonlyMap<string, ReadonlySet<string>> {
  const groups = [...groupBy(list, key)]
  return new Map(groups.map(([name, group]) => [name, new Set(group.map(member))]))
}

type Rule = {
  readonly code: Verdict['code']
  readonly when: (pair: Pair, book: Book) => boolean
  readonly text: (pair: Pair, book: Book) => string
}

const isAccused = (node: string, book: Book): boolean =>
  book.accusers(node).size >= LIMITS.blameWorkloadsLeast

const goodNodes = (pair: Pair, book: Book): readonly string[] =>
  [...book.failsOn(templateKey(pair))].filter((node) => !isAccused(node, book))

/** The first rule that holds says who it was. */
const rules: readonly Rule[] = [
  {
    code: 'BadVersion',
    when: (pair, book) => goodNodes(pair, book).length >= LIMITS.blameNodesLeast,
    text: (pair, book) =>
      `it fails on ${counted(goodNodes(pair, book).length, 'node')} ` +
      'that nothing else speaks against',
  },
  {
    code: 'BadNode',
    when: ({ node }, book) => isAccused(node, book),
    text: ({ node }, book) =>
      `${counted(book.accusers(node).size, 'workload')} fail there again and again ` +
      'and are fine elsewhere',
  },
  // Few replicas cannot fail on many nodes: it is fine nowhere, and others are fine beside it.
  {
    code: 'BadVersion',
    when: (pair, book) =>
      book.fineOn(templateKey(pair)).size === 0 && book.fineAt(pair.node).size > 0,
    text: ({ node }, book) =>
      `it is fine nowhere, and beside it ${counted(book.fineAt(node).size, 'other')} ` +
      `${book.fineAt(node).size === 1 ? 'is' : 'are'} fine`,
  },
  // Machines with one tenant: it is fine on many others, and nothing is fine there.
  {
    code: 'BadNode',
    when: (pair, book) =>
      isAgain(pair) &&
      book.fineOn(templateKey(pair)).size >= LIMITS.blameNodesLeast &&
      book.fineAt(pair.node).size === 0,
    text: (pair, book) =>
      `it is fine on ${counted(book.fineOn(templateKey(pair)).size, 'other node')}, ` +
      'and nothing is fine there',
  },
]

function verdictOn(pair: Pair, book: Book): Verdict {
  const rule = rules.find(({ when }) => when(pair, book))
  if (rule !== undefined) return { code: rule.code, text: rule.text(pair, book) }
  return { code: 'Unclear', text: 'too little is known to blame either' }
}

const counted = (count: number, noun: string): string =>
  `${String(count)} ${noun}${count === 1 ? '' : 's'}`
