/**
 * Work that comes and goes so that about as much of it stands at any time.
 *
 * Replicas arrive as a Poisson process and live for a lognormal time. Those that stand at the
 * beginning are drawn as whoever looks in at a random moment finds them: long lives are likelier to
 * be met, and each is met at a random moment of it. So no settling down is measured.
 */
import { must } from '#shared/base/assert.ts'
import { makeRandom, type Random } from '#shared/base/random.ts'
import { parseDocument, type Document } from '#shared/protocol/documents.ts'
import type { TraceRow } from '#cli/simulate/trace.ts'
import type { Replica } from '../packing/data.ts'

export type WorkSetup = {
  readonly seed: number
  /** Those that stand at a time, on average. */
  readonly replicas: number
  readonly hours: number
  /** What they ask for: each takes after one of these, drawn with replacement. */
  readonly shapes: readonly Replica[]
}

const HOUR_MS = 3_600_000
const MEDIAN_HOURS = 6
const SIGMA = 1.5
const MEAN_HOURS = MEDIAN_HOURS * Math.exp(SIGMA ** 2 / 2)

export function workOf({ seed, replicas, hours, shapes }: WorkSetup): readonly TraceRow[] {
  const random = makeRandom(seed)
  const rows: TraceRow[] = []
  const add = (arrivesHours: number, livesHours: number): void => {
    const shape = must(shapes[random.int(0, shapes.length - 1)], 'a shape')
    const document = workloadOf(`w-${String(rows.length)}`, shape)
    const [arrivesMs, leavesMs] = [toMs(arrivesHours), toMs(arrivesHours + livesHours)]
    rows.push({ name: document.name, arrivesMs, leavesMs, replicas: 1, document })
  }
  for (let i = 0; i < replicas; i += 1) {
    // The lengths of lives that are met are lognormal too, with a median larger by exp(sigma²).
    const whole = lognormal(random, MEDIAN_HOURS * Math.exp(SIGMA ** 2))
    add(0, whole * random.next())
  }
  const perHour = replicas / MEAN_HOURS
  for (let at = exponential(random, perHour); at < hours; at += exponential(random, perHour)) {
    add(at, lognormal(random, MEDIAN_HOURS))
  }
  return rows
}

const toMs = (hours: number): number => Math.round(hours * HOUR_MS)

function exponential(random: Random, perHour: number): number {
  return -Math.log(1 - random.next()) / perHour
}

/** By Box and Muller's transform. */
function lognormal(random: Random, median: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()))
  const normal = radius * Math.cos(2 * Math.PI * random.next())
  return median * Math.exp(SIGMA * normal)
}

function workloadOf(name: string, { cpuMilli, memoryMib, gpuMilli }: Replica): Document {
  const resources = {
    cpu: `${String(cpuMilli)}m`,
    memory: `${String(memoryMib)}Mi`,
    gpu: gpuMilli / 1000,
  }
  const body = { kind: 'Workload', name, command: ['serve'], replicas: 1, resources }
  return documentOf('workload', body)
}

export function documentOf(noun: 'pool' | 'workload', body: object): Document {
  const parsed = parseDocument(body, { noun })
  if (!parsed.ok) throw new Error(`a ${noun} is bad: ${JSON.stringify(parsed.faults)}`)
  return parsed.document
}
