/**
 * What people are told of scaling in a workload's status: the three conditions of Kubernetes' HPA.
 *
 * Their texts hold no reading: one that wanders would have each pass write the status anew.
 */
import type { Condition } from '../../model/node.ts'
import type { ScaleTarget } from '../../model/scale-target.ts'

type Told = Omit<Condition, 'sinceMs'>

export function scaleConditions(target: ScaleTarget | undefined): readonly Told[] {
  if (target === undefined) {
    const text = 'its metrics have not been read so far'
    return [{ type: 'ScalingActive', status: false, reason: 'NotYetRead', text }]
  }
  return [activeOf(target), ableOf(target), limitedOf(target)]
}

function activeOf({ readings, replicas }: ScaleTarget): Told {
  const type = 'ScalingActive'
  const bad = readings.flatMap(({ metric, error }) =>
    error === undefined ? [] : [{ metric, error }],
  )
  if (bad.length > 0) {
    const text = bad.map(({ metric, error }) => `${metric}: ${error.text}`).join('; ')
    return { type, status: bad.length < readings.length, reason: 'FailedGetMetric', text }
  }
  if (replicas === 0) {
    return { type, status: true, reason: 'ScaledToZero', text: 'nothing goes on, so none runs' }
  }
  return { type, status: true, reason: 'ValidMetricFound', text: 'all of its metrics can be read' }
}

function ableOf({ held }: ScaleTarget): Told {
  const type = 'AbleToScale'
  if (held === undefined) {
    return { type, status: true, reason: 'ReadyForNewScale', text: 'nothing holds it back' }
  }
  const isWaiting = held.code === 'ScaleDownStabilized' || held.code === 'ScaleUpStabilized'
  return { type, status: isWaiting, reason: held.code, text: held.text }
}

function limitedOf({ limited }: ScaleTarget): Told {
  const type = 'ScalingLimited'
  if (limited === undefined) {
    const text = 'its metrics ask for no more and no fewer than it may have'
    return { type, status: false, reason: 'DesiredWithinRange', text }
  }
  return { type, status: true, reason: limited.code, text: limited.text }
}
