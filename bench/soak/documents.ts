/**
 * The herd that a soak keeps busy: so many small machines, each with an agent.
 *
 * Machines are bought to fit, so what makes their number is work that does not share: two
 * workloads with `antiAffinity: node`, each in a pool of its own. The two that share what room is
 * left are there to be moved about: a web service that is probed, and workers that end at once.
 */
import type { Random } from '#shared/base/random.ts'

export type Document = Readonly<Record<string, unknown>> & {
  readonly kind: 'Pool' | 'Workload'
  readonly name: string
}
export type Range = { readonly min: number; readonly max: number }
export type Wish = { readonly document: Document; readonly replicas: Range }
export type HerdPlan = { readonly pools: readonly Document[]; readonly workloads: readonly Wish[] }

/** This share of the machines is spot or on-demand as comes cheapest; the rest is on-demand. */
const MIXED_SHARE = 0.6
const WEB = 'exec node "$DROVER_EXAMPLES/programs/web.mjs"'

/** Every workload starts with its largest count; scaling goes down from there and back. */
export function planHerd(agents: number): HerdPlan {
  const mixed = Math.ceil(agents * MIXED_SHARE)
  const few = Math.max(2, Math.ceil(agents / 8))
  return {
    pools: [
      poolOf('mixed', ['spot', 'on-demand'], ['m7a', 'c7a', 'r7a', 'm6a', 'c6a']),
      poolOf('steady', ['on-demand'], ['m7a', 'c7a', 'r7a']),
    ],
    workloads: [
      { document: spreadOut('wide', 'mixed'), replicas: nearly(mixed) },
      { document: spreadOut('base', 'steady'), replicas: nearly(agents - mixed) },
      {
        document: {
          ...{ kind: 'Workload', name: 'web', command: ['sh', '-c', WEB] },
          resources: { cpu: '50m', memory: '64Mi' },
          ports: [{ name: 'http' }],
          health: { http: { path: '/healthz', port: 'http' }, intervalSeconds: 2 },
          placement: { pools: ['mixed', 'steady'], spread: 'zone' },
          availability: { minAvailable: '50%' },
          terminationGraceSeconds: 5,
        },
        replicas: { min: Math.min(2, few), max: few },
      },
      {
        document: {
          ...{ kind: 'Workload', name: 'worker', command: ['sleep', '100000'] },
          resources: { cpu: '20m', memory: '16Mi' },
          placement: { pools: ['mixed', 'steady'] },
          terminationGraceSeconds: 2,
        },
        replicas: { min: 1, max: 2 * few },
      },
    ],
  }
}

const nearly = (most: number): Range => ({ min: Math.max(1, Math.floor(most * 0.85)), max: most })

function poolOf(
  name: string,
  capacityTypes: readonly string[],
  families: readonly string[],
): Document {
  return { kind: 'Pool', name, instances: { families, maxVcpu: 2 }, capacityTypes }
}

/** A replica a machine. A roll-out may not buy machines of its own: nothing is surged. */
function spreadOut(name: string, pool: string): Document {
  return {
    ...{ kind: 'Workload', name, command: ['sleep', '100000'] },
    resources: { cpu: '100m', memory: '64Mi' },
    placement: { pools: [pool], antiAffinity: 'node' },
    rollout: { maxUnavailable: '20%', maxSurge: 0 },
    terminationGraceSeconds: 2,
  }
}

/** The same workload with another template: a roll-out. The count is left as it is. */
export function rolled(document: Document, round: number): Document {
  return { ...document, env: { ROUND: String(round) } }
}

/** A count in the range, drawn. */
export const drawCount = ({ min, max }: Range, random: Random): number => random.int(min, max)
