/**
 * What invokes drover's functions: queues, the table's stream, EC2's events, schedules.
 *
 * These are the services of AWS between the parts, with their habits: at least once, in batches,
 * again after an error and at some time no more. A poll that would find nothing is not made; the
 * first that would find something is. Faults strike here too: ticks and events get lost, come twice
 * or late, a batch is delivered again, a second pass gets the wakes of one that still runs.
 */
import { silentLogger } from '#shared/base/log.ts'
import type { MemoryChannel, MemoryMessage } from '#shared/cloud/memory-queue.ts'
import type { Ec2Event } from '#shared/cloud/memory-ec2/types.ts'
import { autoscale } from '#shared/controllers/autoscale.ts'
import { judgeChanges, judgePending } from '#shared/controllers/burn-in.ts'
import { takeInEc2Event } from '#shared/controllers/interruption.ts'
import { updateMarket } from '#shared/controllers/market.ts'
import {
  reconcile,
  snapshotSettings,
  type ReconcileOutcome,
} from '#shared/controllers/reconcile/reconcile.ts'
import type { ReconcileSettings } from '#shared/controllers/reconcile/settings.ts'
import { repack } from '#shared/controllers/repack.ts'
import { WAKING_KINDS, wakeForChanges, wakeForMessages } from '#shared/controllers/wake.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { EC2_EVENT_PATTERNS } from '#shared/protocol/ec2-event-patterns.ts'
import { tickBody } from '#shared/protocol/wake-message.ts'
import type { Change } from '#shared/store/store.ts'
import type { Chance } from './chance.ts'
import type { Faults } from './faults.ts'
import type { Idle } from './idle.ts'
import type { Invocations } from './invocations.ts'
import { LOOKING } from './looking.ts'
import type { Backends, Ports } from './ports.ts'

export type Sources = {
  onEc2Event(event: Ec2Event): void
  onChange(change: Change): void
  /** A queue holds something new. */
  onSend(): void
  start(): void
}

export type SourcesSetup = {
  readonly backends: Backends
  readonly invocations: Invocations
  readonly chance: Chance
  readonly faults: Faults
  readonly settings: ReconcileSettings
  /** False while a burn-in's schedule would find nothing to judge. */
  readonly awaitsVerdict: () => boolean
  /** False while a look at what is scaled would find nothing. */
  readonly scales: () => boolean
  readonly idle: Pick<Idle, 'skips' | 'onPass'>
}

/** As the stack sets them (infra/). */
const TIMEOUT_MS = {
  ...{ wake: 10_000, burnIn: 60_000, interruption: 30_000, market: 60_000, repack: 600_000 },
} as const
const BURN_IN_EVERY_MS = 120_000
const MARKET_EVERY_MS = 600_000
const REPACK_EVERY_MS = 900_000
const REPACK_BEFORE_MARKET_MS = 40_000
const STREAM_TRIES = 6
const STREAM_BATCH = 100
/** Lambda tries an asynchronous invocation three times, a minute and two minutes apart. */
const ASYNC_PAUSES_MS = [60_000, 120_000]
const LATE_MS = { min: 5_000, max: 240_000 }
const PROMPT_MS = { min: 150, max: 1_500 }

export function makeSources(setup: SourcesSetup): Sources {
  const reconcileSource = makeReconcileSource(setup)
  const delaySource = makeDelaySource(setup)
  const wakes = makeStreamConsumer(setup, {
    name: 'wake-stream',
    wants: wantsWake,
    run: (changes, onEnd) => {
      setup.invocations.run({
        ...{ role: 'wake', timeoutMs: TIMEOUT_MS.wake, onEnd },
        work: ({ queue }) => wakeForChanges({ queue, log: silentLogger }, changes),
      })
    },
  })
  const verdicts = makeStreamConsumer(setup, {
    name: 'burn-in-stream',
    wants: isFinishedBurnIn,
    run: (changes, onEnd) => {
      setup.invocations.run({
        ...{ role: 'burn-in', timeoutMs: TIMEOUT_MS.burnIn, onEnd },
        work: (ports) => judgeChanges(judgePorts(ports), changes),
      })
    },
  })
  return {
    onEc2Event: makeEventRule(setup),
    onChange: (change) => {
      wakes(change)
      verdicts(change)
    },
    onSend: () => {
      reconcileSource.poll()
      delaySource.poll()
    },
    start: () => {
      startSchedules(setup, reconcileSource.poll)
    },
  }
}

/** As `STREAM_FILTERS` has it. */
function wantsWake({ before, after }: Change): boolean {
  const kind = (item: Change['after']): string => String(item?.['kind'])
  if (after !== undefined) return WAKING_KINDS.includes(kind(after))
  return ['spec', 'order'].includes(kind(before))
}

function isFinishedBurnIn({ after }: Change): boolean {
  const burnIn = after?.['burnIn'] as { state?: unknown } | undefined
  return after?.['kind'] === 'report' && burnIn?.state === 'finished'
}

const judgePorts = ({ store, history, clock }: Ports) => ({
  ...{ store, history, clock, log: silentLogger },
})

type Poll = { poll(): void }

/** Polls a channel when its next message can be handed out, and not before. */
function makePoller(
  { backends: { scheduler }, chance }: SourcesSetup,
  channel: MemoryChannel,
  serve: () => void,
): Poll {
  let due: { atMs: number; cancel: () => void } | undefined
  let polls = 0
  const poll = (): void => {
    const nextMs = channel.nextAtMs()
    if (nextMs === undefined) return
    const atMs = Math.max(nextMs, scheduler.now())
    if (due !== undefined && due.atMs <= atMs) return
    due?.cancel()
    polls += 1
    const jitterMs = chance.int(`poll ${String(polls)}`, { min: 5, max: 120 })
    const cancel = scheduler.at(atMs + jitterMs, () => {
      due = undefined
      serve()
      poll()
    })
    due = { atMs, cancel }
  }
  return { poll }
}

/** The FIFO queue: one batch at a time, hidden while its pass runs, seen again after an error. */
function makeReconcileSource(setup: SourcesSetup): Poll {
  const { backends, invocations, chance, faults, settings, idle } = setup
  const { queue, scheduler } = backends
  let batches = 0
  const pass = (messages: readonly MemoryMessage[], isFirst: boolean): void => {
    const sentAtMs = Math.max(...messages.map((own) => own.sentAtMs))
    let outcome: ReconcileOutcome | undefined
    invocations.run({
      role: 'reconcile',
      timeoutMs: LIMITS.reconcileTimeoutMs,
      work: async (ports) => {
        outcome = await reconcile({ ...ports, ...quiet }, settings, { sentAtMs })
      },
      onEnd: (how) => {
        idle.onPass(how === 'ended' ? outcome : undefined)
        if (!isFirst) return
        for (const { receipt } of messages) {
          if (how === 'ended') queue.fifo.remove(receipt)
          else if (how === 'threw')
            queue.fifo.hide(receipt, scheduler.now() + LIMITS.reconcileErrorVisibilityMs)
        }
        source.poll()
      },
    })
  }
  const source = makePoller(setup, queue.fifo, () => {
    const messages = queue.fifo.receive(scheduler.now())
    if (messages.length === 0) return
    if (idle.skips()) {
      for (const { receipt } of messages) queue.fifo.remove(receipt)
      return
    }
    batches += 1
    const name = `batch ${String(batches)}`
    pass(messages, true)
    if (!faults.strikes('redelivered', name)) return
    // Most passes take less than a tenth of a second: half of the second ones begin within that.
    const most = chance.of(`${name} overlaps`) < 0.5 ? 80 : 3_000
    const laterMs = chance.int(`redelivery of ${name}`, { min: 1, max: most })
    scheduler.at(scheduler.now() + laterMs, () => {
      pass(messages, false)
    })
  })
  return source
}

const quiet = { metrics: { record: () => undefined }, log: silentLogger }

function makeDelaySource(setup: SourcesSetup): Poll {
  const { backends, invocations } = setup
  const { queue, scheduler } = backends
  const source = makePoller(setup, queue.delayed, () => {
    const messages = queue.delayed.receive(scheduler.now())
    if (messages.length === 0) return
    const bodies = messages.map((own) => own.body)
    invocations.run({
      ...{ role: 'wake', timeoutMs: TIMEOUT_MS.wake },
      work: (ports) => wakeForMessages({ queue: ports.queue, log: silentLogger }, bodies),
      onEnd: (how) => {
        if (how === 'ended') for (const { receipt } of messages) queue.delayed.remove(receipt)
        source.poll()
      },
    })
  })
  return source
}

type StreamConsumer = {
  readonly name: string
  readonly wants: (change: Change) => boolean
  readonly run: (
    changes: readonly Change[],
    onEnd: (how: 'ended' | 'threw' | 'crashed') => void,
  ) => void
}

/** One shard, one batch at a time: a batch that fails comes again, and then is set aside. */
function makeStreamConsumer(
  { backends: { scheduler }, chance, faults }: SourcesSetup,
  { name, wants, run }: StreamConsumer,
): (change: Change) => void {
  const waiting: Change[] = []
  let isBusy = false
  let batches = 0
  const serve = (changes: readonly Change[], tries: number): void => {
    const key = `${name} ${String(batches)}.${String(tries)}`
    run(changes, (how) => {
      const isBad = how !== 'ended'
      const again = isBad ? tries < STREAM_TRIES : faults.strikes('batchTwice', key)
      if (!again) {
        isBusy = false
        next()
        return
      }
      const pauseMs = isBad ? 1_000 * 2 ** tries : 50
      scheduler.at(scheduler.now() + pauseMs, () => {
        serve(changes, tries + 1)
      })
    })
  }
  const next = (): void => {
    if (isBusy || waiting.length === 0) return
    isBusy = true
    batches += 1
    const laterMs = chance.int(`${name} ${String(batches)}`, { min: 60, max: 400 })
    scheduler.at(scheduler.now() + laterMs, () => {
      serve(waiting.splice(0, STREAM_BATCH), 1)
    })
  }
  return (change) => {
    if (!wants(change)) return
    waiting.push(change)
    next()
  }
}

/** EventBridge: at least once, in no order, and now and then not at all. */
function makeEventRule(setup: SourcesSetup): (event: Ec2Event) => void {
  const { backends, invocations, chance, faults } = setup
  const { scheduler } = backends
  let events = 0
  const deliver = (event: Ec2Event, tries: number): void => {
    invocations.run({
      role: 'interruption',
      timeoutMs: TIMEOUT_MS.interruption,
      work: ({ store, queue, clock }) =>
        takeInEc2Event({ store, queue, clock, log: silentLogger }, event),
      onEnd: (how) => {
        const pauseMs = ASYNC_PAUSES_MS[tries]
        if (how === 'ended' || pauseMs === undefined) return
        scheduler.at(scheduler.now() + pauseMs, () => {
          deliver(event, tries + 1)
        })
      },
    })
  }
  const send = (event: Ec2Event, key: string): void => {
    const isLate = faults.strikes('eventLate', key)
    const laterMs = chance.int(`delay of ${key}`, isLate ? LATE_MS : PROMPT_MS)
    scheduler.at(scheduler.now() + laterMs, () => {
      deliver(event, 0)
    })
  }
  return (event) => {
    if (!isHeard(event)) return
    events += 1
    const key = `event ${String(events)}`
    if (faults.strikes('eventLost', key)) return
    send(event, key)
    if (faults.strikes('eventTwice', key)) send(event, `${key} again`)
  }
}

function isHeard(event: Ec2Event): boolean {
  return Object.values(EC2_EVENT_PATTERNS).some((pattern) => {
    const detail: Readonly<Record<string, readonly string[]>> =
      'detail' in pattern ? pattern.detail : {}
    return (
      (pattern.source as readonly string[]).includes(event.source) &&
      (pattern.detailType as readonly string[]).includes(event['detail-type']) &&
      Object.entries(detail).every(([name, values]) => values.includes(event.detail[name] ?? ''))
    )
  })
}

function startSchedules(setup: SourcesSetup, pollFifo: () => void): void {
  const { backends, invocations, chance, faults, awaitsVerdict, scales } = setup
  const { scheduler, queue } = backends
  const every = (ms: number, act: (name: string) => void): void => {
    let n = 0
    const again = (): void => {
      n += 1
      act(String(n))
      scheduler.at(scheduler.now() + ms, again)
    }
    again()
  }
  every(LIMITS.tickMs, (n) => {
    if (faults.strikes('eventLost', `tick ${n}`)) return
    const body = JSON.stringify(tickBody(new Date(scheduler.now()).toISOString()))
    const arrive = (): void => {
      queue.fifo.send(body, { nowMs: scheduler.now(), dedupId: body })
      pollFifo()
    }
    if (faults.strikes('eventTwice', `tick ${n}`)) arrive()
    if (!faults.strikes('eventLate', `tick ${n}`)) arrive()
    else scheduler.at(scheduler.now() + chance.int(`tick ${n} late`, LATE_MS), arrive)
  })
  every(BURN_IN_EVERY_MS, () => {
    if (!awaitsVerdict()) return
    invocations.run({
      ...{ role: 'burn-in', timeoutMs: TIMEOUT_MS.burnIn },
      work: (ports) => judgePending(judgePorts(ports)),
    })
  })
  every(LIMITS.scaleEveryMs, (n) => {
    if (!scales() || faults.strikes('eventLost', `look ${n}`)) return
    invocations.run({
      ...{ role: 'autoscale', timeoutMs: LIMITS.scaleEveryMs },
      work: ({ store, metrics, clock }) => autoscale({ store, metrics, clock, log: silentLogger }),
    })
  })
  every(MARKET_EVERY_MS, () => {
    invocations.run({
      ...{ role: 'market', timeoutMs: TIMEOUT_MS.market },
      work: ({ store, prices, clock }) => updateMarket({ store, prices, clock, log: silentLogger }),
    })
  })
  const look = (): void => {
    invocations.run({
      ...{ role: 'repack', timeoutMs: TIMEOUT_MS.repack },
      work: ({ store, clock }) =>
        repack({
          ...{ store, clock, settings: snapshotSettings(setup.settings), log: silentLogger },
          ...LOOKING,
        }),
    })
  }
  // Just before the market is read: prices may move while machines come up.
  scheduler.at(scheduler.now() + REPACK_EVERY_MS - REPACK_BEFORE_MARKET_MS, () => {
    every(REPACK_EVERY_MS, look)
  })
}
