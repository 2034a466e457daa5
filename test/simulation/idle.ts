/**
 * Wakes for which there is nothing new to see.
 *
 * Most of the sixty passes of a quiet hour read what the pass before them read and decide nothing,
 * and so do those that were asked for twice. They are polls that would see no change, so most are
 * not simulated: the world books what such a pass would book, that it began and ended well. A wake
 * is idle only if since the last good pass no item but beats has changed, EC2 is as it was listed,
 * load balancers are as they were heard, every agent beats, nobody is suspected or on the way, and
 * the pass itself said that it would decide the same until later. Every fortieth is a real pass all
 * the same, and it must then decide nothing.
 */
import { must } from '#shared/base/assert.ts'
import type { ReconcileOutcome } from '#shared/controllers/reconcile/reconcile.ts'
import { keys } from '#shared/store/keys.ts'
import { equal, type Change, type Item, type Key, type Write } from '#shared/store/store.ts'
import type { Machine } from './machine.ts'
import type { Backends } from './ports.ts'
import type { Caller, Violation } from './traffic.ts'

export type Idle = {
  onChange(change: Change): void
  onEc2Change(): void
  /** Reconcile has read the table, or EC2's list. */
  onScan(): void
  onList(): void
  /** A pass is over; undefined where it did not end well. */
  onPass(outcome: ReconcileOutcome | undefined): void
  /** True where the pass that a wake asks for was booked and need not be run. */
  skips(): boolean
}

export type IdleSetup = {
  readonly backends: () => Backends
  readonly machines: ReadonlyMap<string, Machine>
  readonly peek: (key: Key) => Item | undefined
  readonly partition: (pk: string) => readonly Item[]
  readonly isOut: () => boolean
  /** A pass that should have decided nothing did not. */
  readonly blame: (found: Violation) => void
}

/** One in so many idle wakes is served. */
const RUN_EVERY = 40

export function makeIdle(setup: IdleSetup): Idle {
  let changed = true
  let ec2Changed = true
  let nextAtMs = 0
  let idle = 0
  /** An idle wake that is served: nothing may come of it. */
  let watched = false
  return {
    onChange: ({ key }) => {
      if (key.pk === 'pass') return
      changed = true
      watched = false
    },
    onEc2Change: () => {
      ec2Changed = true
      watched = false
    },
    onScan: () => {
      changed = false
      setup.backends().balancer.forget()
    },
    onList: () => {
      ec2Changed = false
    },
    onPass: (outcome) => {
      const isDone = outcome?.outcome === 'done'
      // Who acted may have been cut short, and asks for another pass to go on.
      nextAtMs = isDone && outcome.actions === 0 ? (outcome.nextAtMs ?? Infinity) : 0
      if (watched && isDone && outcome.actions > 0 && isCalm(setup)) {
        const text = `a pass that saw nothing new took ${String(outcome.actions)} actions`
        setup.blame({ rule: '10 nothing new', text, atMs: setup.backends().scheduler.now() })
      }
      watched = false
    },
    skips: () => {
      const nowMs = setup.backends().scheduler.now()
      if (changed || ec2Changed || nextAtMs <= nowMs || !isCalm(setup)) return false
      idle += 1
      watched = idle % RUN_EVERY === 0
      if (watched) return false
      bookPass(setup, nowMs)
      return true
    },
  }
}

/** A new instance is listed some time after it came, and nothing tells of that. */
const NEW_MS = 180_000

function isCalm({ backends, machines, peek, partition, isOut }: IdleSetup): boolean {
  if (isOut() || partition('launch').length > 0) return false
  const { scheduler, ec2, balancer } = backends()
  // Nothing but its next listing tells what a load balancer thinks by now.
  if (!balancer.areCalm()) return false
  const isNew = scheduler.now() - NEW_MS
  if (ec2.instances().some((own) => own.launchedAtMs > isNew)) return false
  const suspects = peek(keys.pass())?.['suspects']
  if (typeof suspects !== 'object' || Object.keys(suspects ?? {}).length > 0) return false
  if (partition('node').some((own) => own['phase'] !== 'ready' && own['phase'] !== 'quarantined')) {
    return false
  }
  return [...machines.values()].every((own) => own.beating !== undefined && !own.isHung)
}

/** As a pass books that it began, listed EC2, and ended well. */
function bookPass({ backends, peek }: IdleSetup, nowMs: number): void {
  const { store, see, takeChanges } = backends()
  const old = must(peek(keys.pass()), 'a pass before')
  const epoch = Number(old['epoch'])
  const times = { startedAtMs: nowMs, lastGoodStartedAtMs: nowMs, lastSweepAtMs: nowMs }
  const item: Item = { ...old, epoch: epoch + 1, ...times }
  const label = `reconcile#idle-${String(epoch + 1)}`
  const by: Caller = { label, role: 'reconcile', startedAtMs: nowMs }
  takeChanges()
  const write: Write = { kind: 'put', item, when: [equal('epoch', epoch)] }
  void store.write(write)
  see({ kind: 'begun', atMs: nowMs, by })
  see({ kind: 'write', atMs: nowMs, by, writes: [write], changes: takeChanges() })
  see({ kind: 'over', atMs: nowMs, by, how: 'ended' })
}
