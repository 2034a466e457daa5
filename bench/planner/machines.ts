/**
 * How a claim becomes a machine, and a machine a ready node: the least that a plan asks of either.
 */
import { must } from '#shared/base/assert.ts'
import { instanceArn } from '#shared/model/arn.ts'
import { typesByName } from '#shared/catalog/catalog.ts'
import type { Assignment } from '#shared/model/assignment.ts'
import { suiteOf } from '#shared/model/burn-in.ts'
import type { CapacityType } from '#shared/model/machine.ts'
import type { Node } from '#shared/model/node.ts'
import type { Beat, Report } from '#shared/model/report.ts'
import { emptyAssignment } from '#shared/planner/fold.ts'
import { catalog, typeOf, type Zone } from './market.ts'
import { POOL, poolItem } from './specs.ts'

/** A node, and what comes into the table with it. */
export type Risen = {
  readonly node: Node
  readonly assignment?: Assignment
  readonly report?: Report
  readonly beat?: Beat
}

type Moment = {
  readonly nowMs: number
  /** What it has already, where a machine was known before. */
  readonly assignment: Assignment | undefined
}

/** EC2 has brought what the claim was bought as; it boots. */
export function machineUp(node: Node, { nowMs }: Pick<Moment, 'nowMs'>): Risen {
  if (node.machine !== undefined) return { node }
  const [instanceType = '', zone = ''] = node.claim.places[0]?.split('/') ?? []
  const { allocatable, onDemandUsdPerHour } = must(
    typesByName(catalog).get(instanceType),
    `type ${instanceType}`,
  )
  const instanceId = `i-${node.name}`
  const arn = instanceArn({ region: 'us-east-1', account: '000000000000', instanceId })
  const machine: Node['machine'] = {
    ...{ instanceId, arn, instanceType, zone, allocatable, gpuCount: 0 },
    ...{ priceUsdPerHour: onDemandUsdPerHour, launchedAtMs: nowMs },
  }
  return {
    node: { ...node, phase: 'booting', phaseSinceMs: nowMs, machine },
    assignment: emptyAssignment(node.name, arn),
  }
}

const suite = suiteOf(poolItem().spec.burnIn).name

/** The machine has booted, has passed its burn-in and may carry work. */
export function standUp(claim: Node, { nowMs, assignment: known }: Moment): Risen {
  const { node, assignment } = machineUp(claim, { nowMs })
  const { arn } = must(node.machine, 'a machine')
  const boot = { arn, bootId: `boot-${node.name}` }
  return {
    node: {
      ...node,
      phase: 'ready',
      phaseSinceMs: nowMs,
      bootId: boot.bootId,
      runtimes: ['process'],
      burnIn: {
        ...{
          attempt: 1,
          tries: 1,
          unknowns: 0,
          mended: [],
          suite,
          startedAtMs: nowMs,
          deadlineMs: nowMs + 300_000,
        },
        ...{ verdict: 'PASS', atMs: nowMs, checks: [] },
      },
    },
    ...(assignment === undefined ? {} : { assignment }),
    report: {
      ...{ kind: 'report', ...boot, sequence: 1, agentVersion: 'bench', atMs: nowMs },
      ...{ runtimes: ['process'], replicas: [] },
      observedGeneration: (known ?? assignment)?.generation ?? 0,
    },
    beat: { kind: 'beat', ...boot, atMs: nowMs },
  }
}

type Bought = {
  readonly name: string
  readonly vcpu: number
  readonly zone: Zone
  readonly capacityType: CapacityType
  readonly nowMs: number
}

/** A claim for one machine of the type and nothing else. */
export function claimOf({ name, vcpu, zone, capacityType, nowMs }: Bought): Node {
  const type = must(typesByName(catalog).get(typeOf(vcpu)), 'a type of that size')
  const { allocatable, architecture, onDemandUsdPerHour } = type
  return {
    ...{ kind: 'node', name, pool: POOL, phase: 'launching', capacityType, architecture },
    ...{ phaseSinceMs: nowMs, createdAtMs: nowMs, launchId: '0-0' },
    claim: {
      places: [`${type.name}/${zone}`],
      ...{ least: allocatable, largest: allocatable, dearestUsdPerHour: onDemandUsdPerHour },
    },
    ...{ runtimes: [], cordoned: false },
  }
}
