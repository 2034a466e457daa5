/**
 * A trace of work, replayed on drover itself in virtual time, and what is seen meanwhile.
 *
 * Each row is a workload that somebody applies when it arrives and deletes when it leaves. What a
 * deleted one leaves in the table is kept for an hour here, not for a week as on AWS.
 */
import type { Document } from '#shared/protocol/documents.ts'
import { keys } from '#shared/store/keys.ts'
import { makeAgenda, type Agenda } from './agenda.ts'
import { makeMeter, type Bill, type Meter } from './meter.ts'
import { sampleHerd, type Look, type Sample } from './sample.ts'
import { strike, type Storm } from './storm.ts'
import type { TraceRow } from './trace.ts'
import { makeWitness, type Counts, type Witness } from './witness.ts'
import { makeWorld, type World, type WorldSetup } from './world.ts'

/** On the hour, where prices move. */
export const START_MS = Date.UTC(2026, 0, 5)

const HOUR_MS = 3_600_000
const FORGET_AFTER_MS = HOUR_MS

export type ReplaySetup = Pick<
  WorldSetup,
  'seed' | 'capacity' | 'passEveryMs' | 'solver' | 'lookBudget'
> & {
  readonly rows: readonly TraceRow[]
  /** Documents of pools and teams, which stand from the beginning. */
  readonly documents: readonly Document[]
  readonly hours: number
  /** `atMs` from the beginning. */
  readonly storms: readonly Storm[]
  /** Work that a bound may take. */
  readonly boundBudget: Look['budget']
  /** In hours from the beginning: when the herd is looked at, and when its bound is found too. */
  readonly sampleHours: readonly number[]
  readonly boundHours: ReadonlySet<number>
  /** With what has been sampled until then. */
  readonly onProgress: (hours: number, samples: readonly Sample[]) => void
}

export type Replay = {
  readonly samples: readonly Sample[]
  /** USD in all. */
  readonly bill: Bill
  readonly counts: Counts
  readonly waitsMs: readonly number[]
  /** Machines that storms took back. */
  readonly struck: number
  /** Replica-days that were wanted. */
  readonly replicaDays: number
}

export async function replay(setup: ReplaySetup): Promise<Replay> {
  const agenda = makeAgenda(START_MS)
  const witness = makeWitness(agenda.now)
  const meter = makeMeter(() => world.ec2, agenda.now)
  const world = makeWorld({ ...setup, agenda, onChange: witness.take, onEc2Event: meter.take })
  const run: Run = { setup, agenda, world, meter, witness, samples: [], struck: 0 }
  await world.start()
  for (const document of setup.documents) await world.apply(document)
  for (const row of setup.rows) schedule(run, row)
  for (const { atMs, share } of setup.storms) {
    agenda.at(START_MS + atMs, async () => {
      run.struck += strike({ ec2: world.ec2, agenda, seed: setup.seed }, { share })
      await world.flush()
    })
  }
  for (let hour = 1; hour <= setup.hours; hour += 1) {
    agenda.at(START_MS + hour * HOUR_MS, () => void meter.bill())
  }
  for (const hour of setup.sampleHours) {
    await agenda.runUntil(START_MS + hour * HOUR_MS)
    run.samples.push(await sampleNow(run, hour))
    setup.onProgress(hour, run.samples)
  }
  await agenda.runUntil(START_MS + setup.hours * HOUR_MS)
  setup.onProgress(setup.hours, run.samples)
  return {
    ...{ samples: run.samples, bill: meter.bill(), struck: run.struck },
    ...{ counts: { ...witness.counts }, waitsMs: witness.waitsMs },
    replicaDays: replicaDays(setup),
  }
}

type Run = {
  readonly setup: ReplaySetup
  readonly agenda: Agenda
  readonly world: World
  readonly meter: Meter
  readonly witness: Witness
  readonly samples: Sample[]
  struck: number
}

function schedule({ agenda, world, witness }: Run, row: TraceRow): void {
  const { name, arrivesMs, leavesMs, replicas, document } = row
  agenda.at(START_MS + arrivesMs, async () => {
    witness.expect(name, replicas)
    await world.apply(document)
  })
  if (leavesMs === undefined) return
  agenda.at(START_MS + leavesMs, async () => {
    witness.forget(name)
    await world.remove(document)
    agenda.at(agenda.now() + FORGET_AFTER_MS, () => forget(world, name))
  })
}

/** As DynamoDB removes what has lived its time. */
async function forget({ store }: World, name: string): Promise<void> {
  const key = keys.spec('workload', name)
  const spec = await store.get(key)
  if (spec?.['deletedAtMs'] === undefined) return
  const revisions = await store.query(keys.revision(String(spec['uid']), '').pk)
  for (const item of [spec, ...revisions.items]) {
    await store.write({ kind: 'delete', key: { pk: item.pk, sk: item.sk } })
  }
}

function sampleNow(run: Run, hour: number): Promise<Sample> {
  const { setup, world, agenda, meter, witness } = run
  const { solver, boundBudget: budget, boundHours } = setup
  const ports = { store: world.store, clock: { now: agenda.now }, settings: world.settings }
  return sampleHerd(
    { ports, solver, budget },
    {
      ...{ cost: meter.rate(), billed: meter.bill() },
      ...{ counts: { ...witness.counts }, withBound: boundHours.has(hour) },
    },
  )
}

function replicaDays({ rows, hours }: ReplaySetup): number {
  const endMs = hours * HOUR_MS
  const ms = rows.reduce((sum, { arrivesMs, leavesMs, replicas }) => {
    const from = Math.min(arrivesMs, endMs)
    return sum + replicas * (Math.min(leavesMs ?? endMs, endMs) - from)
  }, 0)
  return ms / (24 * HOUR_MS)
}
