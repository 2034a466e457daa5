/**
 * The balancer port: which replicas a load balancer sends requests to, and what it thinks of them.
 *
 * A target is an instance and a port of it, so several replicas of a node are several targets. Who
 * registers one learns nothing of its health at first: the balancer has its own opinion, and a
 * replica that is healthy to its agent may not be reachable from there. A target that is
 * deregistered gets no new request from then on and finishes those it has: it is `draining`, and
 * then no longer listed.
 */
import type { Target, TargetHealth } from '../model/service.ts'

export type Balancer = {
  /**
   * All targets of the group, those that drain included; one that is not listed gets nothing.
   *
   * The answer may lag behind a change by a moment. Throws BalancerError: `TargetGroupNotFound`
   * where there is no such group, otherwise why it could not be asked.
   */
  health(targetGroupArn: string): Promise<readonly TargetHealth[]>
  /**
   * Idempotent; one that drains is taken in again.
   *
   * A target whose instance does not run is refused, and keeps none of the others out: they are
   * registered, then `InvalidTarget` is thrown, with the refused in its `targets`.
   */
  register(targetGroupArn: string, targets: readonly Target[]): Promise<void>
  /**
   * Idempotent; of what is not registered nothing happens. Once it resolves, the balancer has been
   * told; open requests go on, for the group's deregistration delay at most.
   */
  deregister(targetGroupArn: string, targets: readonly Target[]): Promise<void>
}
