/**
 * Metrics as CloudWatch's embedded metric format: one line of JSON on standard output, from which
 * CloudWatch makes the metric. No call, no latency, nothing that could fail.
 *
 * Source: the CloudWatch user guide, "Specification: Embedded metric format".
 */
import type { Clock } from '../clock.ts'
import { METRIC_NAMESPACE } from '../metric-names.ts'
import type { Metrics } from '../metrics.ts'

export type EmfOptions = {
  clock: Pick<Clock, 'now'>
  /** The only dimension: each further one multiplies the bill. */
  cluster: string
  write?: (line: string) => void
}

export function makeEmfMetrics({ clock, cluster, write = writeLine }: EmfOptions): Metrics {
  return {
    record: (name, value, unit) => {
      // CloudWatch would drop the whole line; say so where somebody may read it.
      if (!Number.isFinite(value)) {
        write(JSON.stringify({ level: 'warn', text: `metric ${name} is no number`, cluster }))
        return
      }
      write(
        JSON.stringify({
          _aws: {
            Timestamp: clock.now(),
            CloudWatchMetrics: [
              {
                Namespace: METRIC_NAMESPACE,
                Dimensions: [['cluster']],
                Metrics: [{ Name: name, Unit: unit }],
              },
            ],
          },
          cluster,
          [name]: value,
        }),
      )
    },
  }
}

function writeLine(line: string): void {
  process.stdout.write(`${line}\n`)
}
