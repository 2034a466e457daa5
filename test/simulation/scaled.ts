/**
 * Scaled workloads of a world: their number follows from a value that wanders, and that somebody
 * pushes, or forgets to. Some look at a queue as well, in which as much waits.
 *
 * They are workloads like the world's others, with `scale` for a number. A name is scaled in all
 * its lives; its template changes.
 */
import type { MetricOf } from '#shared/model/metric.ts'
import type { Chance } from './chance.ts'
import type { Document, Step } from './script.ts'
import { momentsOf } from './weather.ts'

export const SCALED = ['s1', 's2'] as const
export const METRIC = 'load'

/** What one replica is to bear. */
const TARGET = 10

/** The queue of that name, where it is looked at. */
export const queueOf = (name: string): MetricOf<'sqs'> => ({
  ...{ type: 'sqs', target: TARGET, activation: 0 },
  queueUrl: `https://sqs.us-east-1.amazonaws.com/123456789012/${name}`,
})

export function scaledOf(chance: Chance, like: Document): Document {
  const { replicas: _, dependsOn: __, ...rest } = like
  const pick = <T>(what: string, list: readonly T[]): T => chance.pick(`${like.name} ${what}`, list)
  const min = pick('least', [0, 1, 1, 2])
  const down = pick('window', [0, 60, 300])
  const more = chance.of(`${like.name} looks at a queue`) < 0.4 ? [queueOf(like.name)] : []
  return {
    ...rest,
    scale: {
      ...{ min, max: min + pick('more', [1, 4, 7]), cooldownSeconds: pick('cool', [0, 120]) },
      metrics: [{ type: 'pushed', name: METRIC, target: TARGET, maxAgeSeconds: 600 }, ...more],
      behavior: { scaleDown: { stabilizationWindowSeconds: down } },
    },
  }
}

/** A value that goes up and down, and may stay away for an hour. */
export function pushesOf(chance: Chance, name: string, endMs: number): readonly Step[] {
  const moments = momentsOf(chance, `push ${name}`, { perDay: 160, endMs })
  return moments.map((atMs, i): Step => {
    const value = chance.int(`load ${name} ${String(i)}`, { min: 0, max: 9 * TARGET })
    return {
      atMs,
      kind: 'push',
      name,
      value: chance.of(`idle ${name} ${String(i)}`) < 0.2 ? 0 : value,
    }
  })
}
