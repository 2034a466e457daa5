/**
 * The balancer's error family: it could not be asked, or refused what it was asked for.
 *
 * The code tells a caller what to make of it. `Throttled` and `Unreachable` pass by themselves, the
 * others only when somebody mends something.
 */
import { DroverError, type ErrorFacts } from '../base/errors.ts'
import type { Target } from '../model/service.ts'

export type BalancerErrorCode =
  | 'TargetGroupNotFound'
  /** Some targets were refused; see `targets`. */
  | 'InvalidTarget'
  /** A quota of the load balancer or of its group is used up. */
  | 'TooManyTargets'
  | 'Throttled'
  /** No answer: whether the call was carried out is unknown. */
  | 'Unreachable'
  | 'BalancerFailed'

export type BalancerErrorFacts = Omit<ErrorFacts, 'code'> & {
  code?: BalancerErrorCode
  /** Those that were refused; the others of the call were taken. */
  targets?: readonly Target[]
}

export class BalancerError extends DroverError {
  declare readonly code: BalancerErrorCode
  readonly targets: readonly Target[]

  constructor({ targets = [], ...facts }: BalancerErrorFacts) {
    super({ code: 'BalancerFailed', ...(targets.length === 0 ? {} : { seen: targets }), ...facts })
    this.targets = targets
  }
}
