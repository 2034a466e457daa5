/**
 * Deals the instances of a launch to its claims: a claim becomes a machine.
 *
 * Claims of one launch are interchangeable, so the dealing is by name order and needs no memory.
 * What is left over on either side is told: a claim without an instance is given up, and an
 * instance without a claim is surplus, to be terminated.
 */
import { byKey } from '../../base/order.ts'
import { typesByName } from '../../catalog/catalog.ts'
import type { Assignment } from '../../model/assignment.ts'
import { firstAskedOf } from '../../model/burn-in.ts'
import { imageAskedFor, type Launch } from '../../model/launch.ts'
import type { InstanceType } from '../../model/machine.ts'
import type { Machine, Node } from '../../model/node.ts'
import type { PoolItem } from '../../model/spec-item.ts'
import { priceOf, type PriceBook } from './prices.ts'

/** As much of an instance as dealing needs. */
export type DealtInstance = {
  readonly instanceId: string
  readonly arn: string
  readonly instanceType: string
  readonly zone: string
  readonly imageId?: string | undefined
}

export type Dealing = {
  readonly nodes: readonly Node[]
  readonly assignments: readonly Assignment[]
  /** Claims that got nothing. */
  readonly givenUp: readonly string[]
  /** Instances that nobody claims. */
  readonly surplus: readonly string[]
}

export type DealContext = {
  readonly launch: Launch
  readonly instances: readonly DealtInstance[]
  readonly draft: { readonly nodes: ReadonlyMap<string, Node> }
  readonly snapshot: {
    readonly nowMs: number
    readonly catalog: readonly InstanceType[]
    readonly pools: readonly PoolItem[]
  } & PriceBook
}

/** Who becomes what. Claims that have a machine already, and their instances, are left alone. */
export function dealInstances({ launch, instances, draft, snapshot }: DealContext): Dealing {
  const claims = launch.claims
    .map((name) => draft.nodes.get(name))
    .filter((node): node is Node => node !== undefined)
  const taken = new Set(claims.map((node) => node.machine?.instanceId))
  const open = claims.filter((node) => node.phase === 'launching').sort(byKey((node) => node.name))
  const fresh = instances
    .filter((own) => !taken.has(own.instanceId))
    .sort(byKey((own) => own.instanceId))
  const pool = snapshot.pools.find((own) => own.name === launch.pool)
  const nodes: Node[] = []
  const assignments: Assignment[] = []
  open.slice(0, fresh.length).forEach((claim, i) => {
    const instance = fresh[i]
    if (instance === undefined) return
    const imageId = imageAskedFor(launch, instance)
    const dealt = { ...instance, imageId }
    const machine = machineOf(dealt, { claim, snapshot, nowMs: snapshot.nowMs })
    const { suite, certificate } = firstAskedOf(pool?.spec.burnIn, machine)
    const short = certificate === undefined ? {} : { certificate }
    nodes.push({
      ...claim,
      phase: 'booting',
      phaseSinceMs: snapshot.nowMs,
      machine,
      claim: { ...claim.claim, places: [`${machine.instanceType}/${machine.zone}`] },
    })
    assignments.push({
      kind: 'assignment',
      arn: instance.arn,
      node: claim.name,
      generation: 1,
      templates: {},
      replicas: [],
      burnIn: { attempt: 1, suite: suite.name, checks: [...suite.checks], ...short },
    })
  })
  return {
    nodes,
    assignments,
    givenUp: open.slice(fresh.length).map((node) => node.name),
    surplus: fresh.slice(open.length).map((own) => own.instanceId),
  }
}

type MachineContext = {
  readonly claim: Pick<Node, 'capacityType' | 'claim' | 'pool'>
  readonly snapshot: DealContext['snapshot']
  readonly nowMs: number
}

/** What is known of the machine; a type outside the catalogue offers what its claim asked for. */
export function machineOf(instance: DealtInstance, context: MachineContext): Machine {
  const { claim, snapshot, nowMs } = context
  const type = typesByName(snapshot.catalog).get(instance.instanceType)
  const gpuModel = type?.gpuModel ?? claim.claim.gpuModel
  const { least } = claim.claim
  return {
    instanceId: instance.instanceId,
    arn: instance.arn,
    instanceType: instance.instanceType,
    zone: instance.zone,
    allocatable: { ...(type?.allocatable ?? least), diskMib: least.diskMib },
    gpuCount: type?.gpuCount ?? Math.floor(least.gpuMilli / 1000),
    ...(gpuModel === undefined ? {} : { gpuModel }),
    priceUsdPerHour:
      priceOf(snapshot, { ...instance, capacityType: claim.capacityType, pool: claim.pool }) ??
      claim.claim.dearestUsdPerHour,
    launchedAtMs: nowMs,
    ...(instance.imageId === undefined ? {} : { imageId: instance.imageId }),
  }
}
