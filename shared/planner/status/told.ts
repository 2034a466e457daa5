/**
 * Which replicas have a process, by what the agents say, each of its own machine: nobody speaks for
 * another's.
 *
 * Most tables differ from the one before in a report or two, so a workload is counted anew only
 * where a report of one of its own machines says something else.
 */
import { remembered } from '../../base/remembered.ts'
import type { Report } from '../../model/report.ts'
import type { Running } from '../replicas.ts'

/** All that the agents say. */
export type Told = {
  /** By the machine's ARN: replicas with a process. */
  readonly byArn: ReadonlyMap<string, ReadonlySet<string>>
  /** What they said the time before, and the machines of which they say something else now. */
  readonly before: Told['byArn'] | undefined
  readonly changed: readonly string[]
}

let last: Told['byArn'] = new Map()

export const toldBy = remembered((reports: readonly Report[]): Told => {
  const byArn = new Map(reports.map((own) => [own.arn, runningIn(own)]))
  const arns = new Set([...byArn.keys(), ...last.keys()])
  const changed = [...arns].filter((arn) => byArn.get(arn) !== last.get(arn))
  const told = { byArn, before: last, changed }
  last = byArn
  return told
})

const runningIn = remembered(
  (report: Report): ReadonlySet<string> =>
    new Set(
      report.replicas
        .filter(({ phase }) => phase === 'running' || phase === 'ready' || phase === 'stopping')
        .map((own) => own.id),
    ),
)

/** What was counted last of a workload's running replicas, and when the agents said what. */
const counts = new WeakMap<Running, { by: Told['byArn']; readonly count: number }>()

/** How many of the running replicas have a process. */
export function withProcess(running: Running, { byArn, before, changed }: Told): number {
  const known = counts.get(running)
  if (known !== undefined) {
    const isSame = known.by === before && !changed.some((arn) => arnsOf(running).has(arn))
    if (isSame) known.by = byArn
    if (known.by === byArn) return known.count
  }
  const isTold = ({ bound, node }: Running['all'][number]): boolean =>
    byArn.get(node.machine?.arn ?? '')?.has(bound.id) === true
  const count = running.all.filter(isTold).length
  counts.set(running, { by: byArn, count })
  return count
}

const arnsOf = remembered(
  ({ all }: Running): ReadonlySet<string> =>
    new Set(all.flatMap(({ node }) => node.machine?.arn ?? [])),
)
