/**
 * Calls of ports, parked until the scheduler releases them.
 *
 * A call takes effect at the moment of its release and not before; between two releases nothing
 * else runs. What may go wrong with it is decided here: its invocation dies before it or after it
 * and is heard of no more (no `finally` runs: its promise never settles), it fails, its answer is
 * lost, or it takes very long.
 */
import type { Chance } from './chance.ts'
import type { Faults } from './faults.ts'
import type { Scheduler } from './scheduler.ts'
import type { Caller } from './traffic.ts'

export type Invocation = Caller & {
  /** Its clock, less the world's. */
  readonly skewMs: number
  alive: boolean
  calls: number
  readonly parked: Set<Parked>
  /** Told once when it is dropped in the middle. */
  readonly onCrash: () => void
}

export type Parked = { readonly name: string; readonly act: () => unknown; cancel: () => void }

export type CallSpec<T> = {
  readonly port: string
  readonly method: string
  readonly latencyMs: { readonly min: number; readonly max: number }
  /** Does it; what it changes is changed when it returns. */
  readonly act: () => Promise<T>
  /** What the caller gets to see where the call fails, or its answer is lost. */
  readonly failure: (text: string) => Error
  /** What a lost answer looks like after the adapter's own retry, where that is no failure. */
  readonly lostAnswer?: T
  readonly conflict?: T
}

export type Fate = 'done' | 'crash-before' | 'crash-after' | 'fails' | 'answer-lost' | 'conflict'

/** One call as the enumeration of crashes sees it. */
export type CallSeen = {
  /** `reconcile#12.5` */
  readonly name: string
  readonly port: string
  readonly method: string
  readonly by: Caller
  /** Calls of the same invocation that are parked beside it when it is released. */
  readonly beside: readonly string[]
}

export type CallHooks = {
  /** Overrules luck. `beside`: which of the calls parked beside a crash are done all the same. */
  readonly decide?: (call: CallSeen) => { fate: Fate; beside?: ReadonlySet<string> } | undefined
  /** At the moment of the call, with the caller's code on the stack. */
  readonly onPark?: (name: string) => void
  readonly onRelease?: (call: CallSeen, fate: Fate) => void
}

export type Calls = {
  call<T>(invocation: Invocation, spec: CallSpec<T>): Promise<T>
  /** Drops the invocation; of its parked calls those named are done, unheard. */
  crash(invocation: Invocation, done?: ReadonlySet<string>): void
  /** Whose call is taking effect just now. */
  current(): Invocation | undefined
}

export type CallsSetup = {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly faults: Faults
  readonly hooks?: CallHooks
  /** True while the table cannot be reached. */
  readonly isOut: () => boolean
}

const SLOW_MS = { min: 2_000, max: 25_000 }
const OUTAGE_MS = { agent: 2_500, others: 10_000 }
const NOBODY: ReadonlySet<string> = new Set()
const BESIDE_MAX = 3
const LOCAL: ReadonlySet<string> = new Set(['runtime', 'check'])

export function makeCalls(setup: CallsSetup): Calls {
  const { scheduler, chance, faults, hooks = {}, isOut } = setup
  let current: Invocation | undefined

  const take = <T>(invocation: Invocation, act: () => T): T => {
    current = invocation
    try {
      return act()
    } finally {
      current = undefined
    }
  }
  const crash = (invocation: Invocation, done: ReadonlySet<string> = NOBODY): void => {
    if (!invocation.alive) return
    invocation.alive = false
    for (const parked of invocation.parked) {
      parked.cancel()
      if (done.has(parked.name)) ignore(take(invocation, parked.act))
    }
    invocation.parked.clear()
    invocation.onCrash()
  }
  const luck = (spec: CallSpec<unknown>, name: string): Fate => {
    if (!faults.areOn()) return 'done'
    if (faults.strikes('crash', name))
      return chance.of(`side ${name}`) < 0.5 ? 'crash-before' : 'crash-after'
    // What happens on the machine itself is not lost on the way.
    if (LOCAL.has(spec.port)) return 'done'
    if (faults.strikes('callFails', name)) return 'fails'
    if (faults.strikes('answerLost', name)) return 'answer-lost'
    if ('conflict' in spec && faults.strikes('conflict', name)) return 'conflict'
    return 'done'
  }
  const unlucky = (parked: ReadonlySet<Parked>): ReadonlySet<string> => {
    const drawn = [...parked].filter(({ name }) => chance.of(`beside ${name}`) < 0.5)
    return new Set(drawn.slice(0, BESIDE_MAX).map(({ name }) => name))
  }

  return {
    current: () => current,
    crash,
    call: <T>(invocation: Invocation, spec: CallSpec<T>) =>
      new Promise<T>((resolve, reject) => {
        if (!invocation.alive) return
        invocation.calls += 1
        const name = `${invocation.label}.${String(invocation.calls)}`
        hooks.onPark?.(name)
        const isStore = spec.port === 'store' || spec.port === 'history'
        const isSlow = faults.strikes('slow', name)
        const latencyMs = chance.int(`latency ${name}`, isSlow ? SLOW_MS : spec.latencyMs)
        const parked: Parked = { name, act: spec.act, cancel: () => undefined }
        const settle = (fate: 'done' | 'fails' | 'answer-lost' | 'conflict'): void => {
          if (fate === 'fails') reject(spec.failure('the call failed'))
          else if (fate === 'conflict') resolve(spec.conflict as T)
          else if (fate === 'answer-lost') {
            ignore(take(invocation, spec.act))
            const retried = 'lostAnswer' in spec && chance.of(`retried ${name}`) < 0.5
            if (retried) resolve(spec.lostAnswer as T)
            else reject(spec.failure('the answer was lost'))
          } else take(invocation, spec.act).then(resolve, reject)
        }
        const release = (): void => {
          invocation.parked.delete(parked)
          const beside = [...invocation.parked].map((own) => own.name)
          const { port, method } = spec
          const seen: CallSeen = { name, port, method, by: invocation, beside }
          const decided = hooks.decide?.(seen)
          const fate = decided?.fate ?? luck(spec, name)
          if (fate !== 'done') faults.note()
          hooks.onRelease?.(seen, fate)
          if (fate === 'crash-before' || fate === 'crash-after') {
            if (fate === 'crash-after') ignore(take(invocation, spec.act))
            crash(invocation, decided?.beside ?? unlucky(invocation.parked))
          } else settle(fate)
        }
        const whenReached = (): void => {
          if (!isStore || !isOut()) {
            release()
            return
          }
          const outMs = invocation.role === 'agent' ? OUTAGE_MS.agent : OUTAGE_MS.others
          parked.cancel = scheduler.at(scheduler.now() + outMs, () => {
            invocation.parked.delete(parked)
            faults.note()
            reject(spec.failure('the table cannot be reached'))
          })
        }
        parked.cancel = scheduler.at(scheduler.now() + latencyMs, whenReached)
        invocation.parked.add(parked)
      }),
  }
}

/** A dead caller hears nothing, not even of failures. */
function ignore(made: unknown): void {
  if (made instanceof Promise) made.catch(() => undefined)
}
