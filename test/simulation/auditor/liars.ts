/**
 * Machines whose agents have told drover something that was not so.
 *
 * Reports are untrusted, and a simulated agent may talk nonsense. What drover does because it was
 * lied to about a process is no fault of its own, so the rules that compare with the world leave
 * such a machine alone, from its first lie to its end.
 */
import { keys } from '#shared/store/keys.ts'
import type { SeenOf, Truth } from '../traffic.ts'
import type { Books } from './books.ts'
import { kindOf, reportOf } from './items.ts'

export type Liars = {
  has(instanceId: string): boolean
  hear(seen: SeenOf<'write'>): void
}

const ARN_AT = keys.report('').pk.length

export function makeLiars(truth: Truth, books: Books): Liars {
  const liars = new Set<string>()
  return {
    has: (instanceId) => liars.has(instanceId),
    hear: ({ by, changes }) => {
      const id = by.instanceId
      if (by.role !== 'agent' || id === undefined || liars.has(id)) return
      for (const { key, after } of changes) {
        if (kindOf(key) !== 'report') continue
        const report = reportOf(after)
        if (report === undefined) continue
        const body = books.bodies.get(key.pk.slice(ARN_AT))
        // A report from before the newest orders is late, and no lie; drover knows that by it.
        const isNew = report.observedGeneration >= (body?.generation ?? Infinity)
        const told = new Map(report.replicas.map((own) => [own.id, own.phase]))
        const denied = truth.processes(id).some(({ replicaId }) => {
          const phase = told.get(replicaId)
          return phase === 'gone' || (phase === undefined && isNew)
        })
        if (denied) liars.add(id)
      }
    },
  }
}
