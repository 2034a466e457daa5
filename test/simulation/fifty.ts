/**
 * A larger herd for `--herd fifty`: what passes cost there, and what a steady churn does to it.
 */
import type { Chance } from './chance.ts'
import { PROFILES, type SimOptions } from './options.ts'
import { DAY_MS, sorted, type Document, type HerdPlan, type Step } from './script.ts'
import { momentsOf, weatherSteps } from './weather.ts'

const FIFTY = {
  ...{ workloads: 25, replicas: 20, churnPerHour: 0.01 },
  /** Of four CPUs each: ten replicas fit, so that fifty machines are what it takes. */
  families: ['m7a', 'c7a', 'r7a', 'm6a', 'c6a', 'r6a'],
}

/** Fifty nodes and five hundred replicas, of which one in a hundred comes or goes each hour. */
export function planFifty(options: SimOptions, chance: Chance): HerdPlan {
  const endMs = options.days * DAY_MS
  const names = Array.from({ length: FIFTY.workloads }, (_, i) => `w${String(i + 1)}`)
  const workload = (name: string, life: number): Document => ({
    ...{ kind: 'Workload', name, command: ['serve'], replicas: FIFTY.replicas },
    env: { LIFE: String(life) },
    resources: {
      cpu: chance.pick(`${name} cpu`, ['250m', '350m', '400m', '500m']),
      memory: chance.pick(`${name} memory`, ['512Mi', '1Gi', '1536Mi']),
    },
    ...(chance.of(`${name} spread`) < 0.3 ? { placement: { spread: 'zone' } } : {}),
    ...(chance.of(`${name} floor`) < 0.4 ? { availability: { minAvailable: '80%' } } : {}),
    capacity: { onDemandBase: chance.pick(`${name} base`, [0, 0, 0, 2]) },
    terminationGraceSeconds: 10,
  })
  const pool: Document = {
    ...{ kind: 'Pool', name: 'general', burnIn: { timeoutSeconds: 120 } },
    instances: { families: FIFTY.families, minVcpu: 4, maxVcpu: 4 },
  }
  const churn = momentsOf(chance, 'churn', {
    perDay: 24 * FIFTY.churnPerHour * FIFTY.workloads * FIFTY.replicas,
    endMs,
  })
  const counts = new Map(names.map((name) => [name, FIFTY.replicas]))
  const scalings = churn.map((atMs, i): Step => {
    const name = chance.pick(`churn ${String(i)}`, names)
    const now = counts.get(name) ?? FIFTY.replicas
    const up =
      now < FIFTY.replicas || (now === FIFTY.replicas && chance.of(`up ${String(i)}`) < 0.5)
    counts.set(name, now + (up ? 1 : -1))
    return { atMs, kind: 'scale', name, replicas: now + (up ? 1 : -1) }
  })
  const script: Step[] = [
    { atMs: 1_000, kind: 'apply', document: pool },
    ...names.map((name, i): Step => {
      const atMs = 2_000 + i * 100
      return { atMs, kind: 'apply', document: workload(name, 0) }
    }),
    ...scalings,
    ...weatherSteps(chance, { knobs: PROFILES[options.profile], endMs, machines: 40 }),
  ]
  return {
    types: FIFTY.families.map((family) => `${family}.xlarge`),
    capacity: { min: 3, max: 20 },
    script: sorted(script),
  }
}
