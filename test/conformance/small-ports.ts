/**
 * What every implementation of the ids, bus and metrics ports must do.
 */
import { describe, expect, test } from 'vitest'
import type { Bus } from '#shared/cloud/bus.ts'
import type { Ids } from '#shared/cloud/ids.ts'
import type { MetricUnit, Metrics } from '#shared/cloud/metrics.ts'
import type { DroverEvent } from '#shared/model/event.ts'

export function describeIds(name: string, make: () => Ids): void {
  test(`${name} ids are never the same twice, in lower-case letters and digits`, () => {
    const ids = make()
    const made = Array.from({ length: 5_000 }, () => ids.uid())
    expect(new Set(made).size).toBe(made.length)
    for (const uid of made) expect(uid).toMatch(/^[a-z0-9]{7,40}$/)
  })
}

export type BusHarness = { bus: Bus; published(): Promise<readonly DroverEvent[]> }

export function describeBus(name: string, open: () => Promise<BusHarness>): void {
  describe(`the ${name} bus`, () => {
    test('publishes nothing, one event, and more than fit one call, in order', async () => {
      const { bus, published } = await open()
      await bus.publish([])
      expect(await published()).toEqual([])
      const events = Array.from({ length: 23 }, (_, n) => makeEvent(n))
      await bus.publish(events.slice(0, 1))
      await bus.publish(events.slice(1))
      expect(await published()).toEqual(events)
    })
  })
}

export function makeEvent(n: number): DroverEvent {
  return {
    id: `00000000000100${String(n).padStart(2, '0')}-test-0000`,
    atMs: 100 + n,
    object: 'workload/web',
    type: 'Normal',
    reason: 'Scaled',
    text: `to ${String(n)}`,
  }
}

export type Recorded = { name: string; value: number; unit: MetricUnit }
export type MetricsHarness = { metrics: Metrics; last(name: string): Recorded | undefined }

export function describeMetrics(name: string, open: () => MetricsHarness): void {
  describe(`${name} metrics`, () => {
    test('record a value under its name and unit', () => {
      const { metrics, last } = open()
      metrics.record('Replicas', 3, 'Count')
      metrics.record('PassMs', 12.5, 'Milliseconds')
      metrics.record('Replicas', 4, 'Count')
      expect(last('Replicas')).toEqual({ name: 'Replicas', value: 4, unit: 'Count' })
      expect(last('PassMs')).toEqual({ name: 'PassMs', value: 12.5, unit: 'Milliseconds' })
    })

    test('never fail the caller over a value that is no number', () => {
      const { metrics, last } = open()
      metrics.record('Ratio', Number.NaN, 'None')
      metrics.record('Ratio', Number.POSITIVE_INFINITY, 'None')
      expect(last('Ratio')).toBeUndefined()
    })
  })
}
