/**
 * The burst: everything arrives at once and the herd is empty.
 *
 * The mix is that of Karpenter's scheduling benchmark, seed and all: equal fifths of five kinds,
 * their shapes and groups drawn evenly. Replicas that were drawn alike are one workload. A pass
 * buys so many launches and no more, so the plan for all of them may take several passes; each
 * reads what the one before has bought as machines that boot. What is timed is the planning alone.
 *
 * Source: `makeDiversePods` of kubernetes-sigs/karpenter.
 */
import { makeRandom } from '#shared/base/random.ts'
import { must } from '#shared/base/assert.ts'
import { groupBy } from '#shared/base/order.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import { auditHerd } from './audit.ts'
import { timed, type Timed } from './measure.ts'
import {
  afterBurnIn,
  afterLaunches,
  firstSnapshot,
  frozenPlan,
  refusedBy,
  type Made,
} from './snapshots.ts'
import {
  drawOwnShape,
  drawShape,
  KINDS,
  pick,
  placementOf,
  REPLICAS_PER_WORKLOAD,
  workloadItem,
  type Kind,
} from './specs.ts'

const SEED = 42
const GROUPS = [...'abcdefg']
/** Karpenter gives all of them one label. */
const ANTI_AFFINITY_GROUP = 'nginx'
/** No further pass is begun then. */
const PASSES_MS = 60_000

export type Burst = {
  readonly replicas: number
  readonly snapshot: Snapshot
  readonly made: Made
  readonly planMs: number
  readonly planCpuMs: number
  readonly peakHeapMib: number
  readonly placed: number
  readonly passes: number
  readonly firstPassMs: number
  readonly firstPassPlaced: number
}

export type BurstTold = {
  readonly workloads: number
  readonly nodes: number
  readonly usdPerHour: number
  readonly broken: readonly string[]
  /** Most replicas of one node-spread group on one node: a preference, and no rule. */
  readonly nodeSpreadMost: number
}

/** So many replicas, equal ones in one workload; the fifths' remainder is generic. */
export function burstSnapshot(replicas: number): Snapshot {
  const random = makeRandom(SEED)
  const fifth = Math.floor(replicas / KINDS.length)
  const drawn = Array.from({ length: replicas }, (_, i) => {
    const kind: Kind = KINDS[Math.floor(i / Math.max(1, fifth))] ?? 'generic'
    const shape = drawShape(random)
    const group = kind === 'node-anti-affinity' ? ANTI_AFFINITY_GROUP : pick(random, GROUPS)
    const { cpuMilli, memoryMib } = shape
    const name = `${kind}-${String(cpuMilli)}m-${String(memoryMib)}mi-${group}`
    return { name, shape, placement: placementOf(kind, group) }
  })
  const alike = groupBy(drawn, (own) => own.name)
  return firstSnapshot(
    [...alike.values()].flatMap((group) => {
      const [first] = group
      return first === undefined ? [] : workloadItem({ ...first, replicas: group.length })
    }),
  )
}

/** So many replicas in workloads of fifty, each of a shape of its own. */
export function wideSnapshot(replicas: number): Snapshot {
  const random = makeRandom(SEED)
  return firstSnapshot(
    Array.from({ length: Math.ceil(replicas / REPLICAS_PER_WORKLOAD) }, (_, i) => {
      const kind = must(KINDS[i % KINDS.length], 'a kind')
      return workloadItem({
        name: `${kind}-${String(i)}`,
        replicas: Math.min(REPLICAS_PER_WORKLOAD, replicas - i * REPLICAS_PER_WORKLOAD),
        shape: drawOwnShape(random),
        placement: placementOf(kind),
      })
    }),
  )
}

export type Planning = { readonly tell: (text: string) => void; readonly sweeps: boolean }

/** Plans until every replica has a place, or nothing more is bought, or the time is over. */
export function planBurst(first: Snapshot, { tell, sweeps }: Planning): Burst {
  let snapshot = first
  const replicas = snapshot.workloads.reduce((sum, { spec }) => sum + (spec.replicas ?? 0), 0)
  const passes: (Omit<Timed<Made>, 'value'> & { readonly placed: number })[] = []
  for (;;) {
    const { value: made, ...spent } = timed(() => frozenPlan(snapshot), sweeps)
    const placed = replicas - refusedBy(made)
    passes.push({ ...spent, placed })
    const planMs = passes.reduce((sum, own) => sum + own.ms, 0)
    tell(`pass ${String(passes.length)}: ${String(placed)} placed, ${planMs.toFixed(0)} ms`)
    const isBuying = made.plan.actions.some((own) => own.kind === 'launch')
    if (placed === replicas || !isBuying || planMs > PASSES_MS) {
      return {
        ...{ replicas, snapshot, made, planMs, placed, passes: passes.length },
        planCpuMs: passes.reduce((sum, own) => sum + own.cpuMs, 0),
        peakHeapMib: Math.max(...passes.map((own) => own.peakHeapMib)),
        firstPassMs: passes[0]?.ms ?? 0,
        firstPassPlaced: passes[0]?.placed ?? 0,
      }
    }
    snapshot = afterLaunches(snapshot, made)
  }
}

/**
 * What the plans came to. A place on a claim is kept nowhere, so the machines are brought up as
 * they were bought, and the plan that binds to them is judged.
 */
export function judgeBurst({ snapshot, made, placed }: Burst): BurstTold {
  const ready = afterBurnIn(snapshot, made)
  const { draft } = frozenPlan(ready)
  const { bound, faults, uneven, nodeSpreadMost } = auditHerd(draft, ready.workloads)
  const homeless = placed - bound
  const isWhole = refusedBy(made) === 0
  return {
    workloads: ready.workloads.length,
    nodes: ready.nodes.length,
    usdPerHour: ready.nodes.reduce((sum, own) => sum + (own.machine?.priceUsdPerHour ?? 0), 0),
    nodeSpreadMost,
    broken: [
      ...faults,
      ...(isWhole ? uneven : []),
      ...(homeless <= 0 ? [] : [`${String(homeless)} replicas find no room on what was bought`]),
    ],
  }
}
