/**
 * Runs drover's functions as Lambda would: each invocation for itself, with a clock a little off,
 * a hard end after its timeout, and no way back once it is dropped.
 */
import { describeError } from '#shared/base/errors.ts'
import type { Invocation } from './calls.ts'
import type { Chance } from './chance.ts'
import type { Faults } from './faults.ts'
import { makePorts, type Backends, type Ports } from './ports.ts'
import type { Role } from './traffic.ts'

export type Ending = 'ended' | 'threw' | 'crashed'

export type Run = {
  readonly role: Role
  readonly timeoutMs: number
  readonly work: (ports: Ports) => Promise<unknown>
  readonly onEnd?: (how: Ending) => void
}

export type Invocations = {
  run(run: Run): void
  /** Invocations of the role that are under way. */
  running(role: Role): number
}

export type InvocationsSetup = {
  readonly backends: Backends
  readonly chance: Chance
  readonly faults: Faults
  /** For the trace: what was thrown, by whom. */
  readonly onThrow: (label: string, text: string) => void
}

/** Most that the clock of `label` is off, this way or that. */
export function skewOf(
  label: string,
  { chance, faults }: { chance: Chance; faults: Faults },
): number {
  const most = faults.areOn() ? faults.knobs.clockSkewMs : 0
  return chance.int(`skew ${label}`, { min: -most, max: most })
}

export function makeInvocations(setup: InvocationsSetup): Invocations {
  const { backends } = setup
  const { scheduler, calls, see } = backends
  const counts = new Map<Role, number>()
  const live = new Map<Role, number>()

  const open = (role: Role, onCrash: () => void): Invocation => {
    const n = (counts.get(role) ?? 0) + 1
    counts.set(role, n)
    const label = `${role}#${String(n)}`
    return {
      ...{ label, role, startedAtMs: scheduler.now(), skewMs: skewOf(label, setup) },
      ...{ alive: true, calls: 0, parked: new Set(), onCrash },
    }
  }
  return {
    running: (role) => live.get(role) ?? 0,
    run: ({ role, timeoutMs, work, onEnd }) => {
      const end = (how: Ending): void => {
        cancelTimeout()
        live.set(role, (live.get(role) ?? 1) - 1)
        invocation.alive = false
        see({ kind: 'over', atMs: scheduler.now(), by: invocation, how })
        onEnd?.(how)
      }
      const invocation = open(role, () => {
        end('crashed')
      })
      const cancelTimeout = scheduler.at(scheduler.now() + timeoutMs, () => {
        calls.crash(invocation)
      })
      live.set(role, (live.get(role) ?? 0) + 1)
      see({ kind: 'begun', atMs: scheduler.now(), by: invocation })
      work(makePorts(backends, invocation)).then(
        () => {
          if (invocation.alive) end('ended')
        },
        (error: unknown) => {
          if (!invocation.alive) return
          setup.onThrow(invocation.label, describeError(error))
          end('threw')
        },
      )
    },
  }
}
