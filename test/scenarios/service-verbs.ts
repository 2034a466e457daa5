/**
 * Lines about load balancers: where a replica listens, and what its target group thinks of it.
 */
import { must } from '#shared/base/assert.ts'
import type { BoundReplica } from '#shared/model/assignment.ts'
import type { TargetHealth } from '#shared/model/service.ts'
import { targetGroupsIn } from '#shared/planner/service.ts'
import { changeReport, machineOf, reported } from './told.ts'
import type { World } from './world.ts'

type Verb = (world: World, words: readonly string[]) => void

export const serviceVerbs: Readonly<Record<string, Verb>> = {
  /** Its agent calls it ready, and tells where it listens. */
  listens: (world, [id = '', port = '']) => {
    const { node, arn, bound } = boundTo(world, id)
    const report = world.reports.find((own) => own.arn === arn)
    const others = (report?.replicas ?? []).filter((own) => own.id !== id)
    const up = {
      ...reported(id, bound.version, 'ready'),
      addresses: { http: `10.0.0.1:${port}` },
    }
    changeReport(world, node, { replicas: [...others, up] })
  },
  /** What its target groups list: `targets web/1-1=healthy`; `targets unreachable`. */
  targets: (world, words) => {
    const [first] = words
    const arns = targetGroupsIn(world)
    if (first === 'unreachable') {
      const error = { code: 'Unreachable', text: 'it does not answer' }
      world.targetGroups = arns.map((targetGroupArn) => ({ targetGroupArn, error }))
      return
    }
    const told = words.map((word): TargetHealth & { readonly targetGroupArn: string } => {
      const [id = '', state = ''] = word.split('=')
      const { node, bound } = boundTo(world, id)
      const { instanceId } = machineOf(world, node)
      const { targetGroupArn, port } = must(bound.balanced, `the target of ${id}`)
      return { targetGroupArn, instanceId, port, state: state as TargetHealth['state'] }
    })
    world.targetGroups = arns.map((targetGroupArn) => ({
      targetGroupArn,
      targets: told.filter((own) => own.targetGroupArn === targetGroupArn),
    }))
  },
}

/** Of a target group, by its name: a colon in a line is YAML's. */
export const targetGroupNamed = (name: string): string =>
  `arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/${name}/1`

type Bound = { readonly node: string; readonly arn: string; readonly bound: BoundReplica }

function boundTo({ assignments }: World, id: string): Bound {
  const found = assignments.flatMap(({ node, arn, replicas }) =>
    replicas.flatMap((bound) => (bound.id === id ? [{ node, arn, bound }] : [])),
  )
  return must(found[0], `replica ${id}`)
}
