/**
 * The load balancers of a simulated world: drover's memory version, which asks the machines
 * themselves whether anybody answers.
 */
import { makeMemoryBalancer, type MemoryBalancer } from '#shared/cloud/memory-balancer.ts'
import type { Target } from '#shared/cloud/balancer.ts'
import { isHealthy, type Machine } from './machine.ts'
import type { Scheduler } from './scheduler.ts'

/** Few, so that workloads share them. */
export const TARGET_GROUPS = ['web', 'api', 'edge'].map(
  (name, i) =>
    `arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/${name}/${String(i)}`,
)

export function makeBalancers(
  scheduler: Scheduler,
  machines: ReadonlyMap<string, Machine>,
): MemoryBalancer {
  return makeMemoryBalancer({
    clock: scheduler,
    targetGroups: TARGET_GROUPS,
    isHealthy: (target) => answers(machines, target, scheduler.now()),
    isRunning: (instanceId) => machines.has(instanceId),
  })
}

function answers(
  machines: ReadonlyMap<string, Machine>,
  { instanceId, port }: Target,
  nowMs: number,
): boolean {
  const processes = machines.get(instanceId)?.processes.values() ?? []
  return [...processes].some(
    (own) => Object.values(own.ports).includes(port) && isHealthy(own, nowMs),
  )
}
