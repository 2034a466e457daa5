/**
 * A target of the local load balancer, from its registration to the end of its last request.
 *
 * It checks itself every second while it is registered: one success makes it healthy, two failures
 * in a row unhealthy. When it is told to go, its checks stop and it waits for what is open; what is
 * still open after the deregistration delay is cut off.
 */
import type { Target, TargetHealth, TargetState } from '#shared/model/service.ts'
import { check } from './check.ts'
import type { Exchange, Outcome, Place } from './exchange.ts'

export type TargetRules = {
  /** Undefined for an instance that does not run. */
  readonly hostOf: (instanceId: string) => string | undefined
  readonly healthPath: string | undefined
  readonly checkEveryMs: number
  readonly deregistrationDelayMs: number
}

export type LocalTarget = {
  readonly target: Target
  health(): TargetHealth
  /** Requests that were sent there. */
  requests(): number
  /** Where to send a request; undefined unless it is healthy. */
  place(): Place | undefined
  /** Takes what is on its way there under its wing; `onEnd` is told how it ended. */
  carry(exchange: Exchange, onEnd: (outcome: Outcome) => void): void
  /** Registered, for the first time or once more. */
  register(): void
  /** From now on it gets nothing; `onGone` is called when nothing is open any more. */
  deregister(onGone: () => void): void
  /** Ends it and everything open at once. */
  close(): void
}

const FAILURES_TO_TELL = 2

const REASONS: Readonly<Partial<Record<TargetState, string>>> = {
  initial: 'Elb.InitialHealthChecking',
  unhealthy: 'Target.FailedHealthChecks',
  draining: 'Target.DeregistrationInProgress',
  unused: 'Target.InvalidState',
}

export function makeLocalTarget(target: Target, rules: TargetRules): LocalTarget {
  const open = new Set<Exchange>()
  let state: TargetState = 'initial'
  let host: string | undefined
  let requests = 0
  let failures = 0
  /** A check that was begun before the last change has nothing more to say. */
  let turn = 0
  let timer: NodeJS.Timeout | undefined
  let onGone: (() => void) | undefined

  const rest = (): void => {
    turn += 1
    clearTimeout(timer)
  }
  const look = async (own: number): Promise<void> => {
    host = rules.hostOf(target.instanceId)
    const place = host === undefined ? undefined : { host, port: target.port }
    const isGood = place !== undefined && (await check(place, rules.healthPath))
    if (own !== turn) return
    failures = isGood ? 0 : failures + 1
    if (isGood) state = 'healthy'
    else if (place === undefined) state = 'unused'
    else if (state === 'healthy' && failures >= FAILURES_TO_TELL) state = 'unhealthy'
    timer = setTimeout(() => void look(own), rules.checkEveryMs).unref()
  }
  const cutAll = (): void => {
    for (const exchange of [...open]) exchange.cut()
  }
  const goneIfIdle = (): void => {
    if (state !== 'draining' || open.size > 0) return
    rest()
    onGone?.()
  }

  return {
    target,
    health: () => {
      const reason = REASONS[state]
      return { ...target, state, ...(reason === undefined ? {} : { reason }) }
    },
    requests: () => requests,
    place: () =>
      state === 'healthy' && host !== undefined ? { host, port: target.port } : undefined,
    carry: (exchange, tell) => {
      requests += 1
      open.add(exchange)
      exchange.onEnd((outcome) => {
        open.delete(exchange)
        tell(outcome)
        goneIfIdle()
      })
    },
    register: () => {
      rest()
      state = 'initial'
      failures = 0
      void look(turn)
    },
    deregister: (listener) => {
      rest()
      state = 'draining'
      onGone = listener
      timer = setTimeout(cutAll, rules.deregistrationDelayMs).unref()
      goneIfIdle()
    },
    close: () => {
      rest()
      state = 'unused'
      cutAll()
    },
  }
}
