/**
 * A bench that is broken off takes its drover along, and with it every process of the herd.
 */
import type { DroverChild } from '#local/demo/child.ts'

export function endOnSignal(child: DroverChild): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void child.end('SIGTERM').then(() => process.exit(1))
    })
  }
}
