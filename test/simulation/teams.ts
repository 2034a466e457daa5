/**
 * Teams of a world: what they are guaranteed, and whose work is whose.
 */
import type { Chance } from './chance.ts'
import type { Document } from './script.ts'

export const TEAMS = ['red', 'blue'] as const

/** The teams that a world begins with. */
export function teamsOf(chance: Chance): readonly Document[] {
  return [GUESTS, HOSTS, ...TEAMS.map((name) => teamOf(chance, name, 0))]
}

/** A team; another `life` is another quota. */
export function teamOf(chance: Chance, name: string, life: number): Document {
  const key = `team ${name} ${String(life)}`
  const cpu = chance.int(`${key} cpu`, { min: 0, max: 8 })
  const memory = `${String(chance.int(`${key} memory`, { min: 1, max: 24 }))}Gi`
  const gpu = chance.int(`${key} gpu`, { min: 0, max: 4 })
  return {
    ...{ kind: 'Team', name },
    quota: {
      ...{ cpu },
      ...(chance.of(`${key} counts memory`) < 0.3 ? { memory } : {}),
      ...(chance.of(`${key} counts GPUs`) < 0.3 ? { gpu } : {}),
    },
    borrow: chance.pick(`${key} borrow`, ['existing', 'buy', 'none']),
    ...(chance.of(`${key} lend`) < 0.3 ? { lend: { cpu: 1 } } : {}),
    weight: chance.pick(`${key} weight`, [1, 2]),
  }
}

/** Whose a workload is, and whether it gives way; that may be another in another `life`. */
export function allegianceOf(
  chance: Chance,
  workload: string,
  life: number,
): Readonly<Record<string, unknown>> {
  const name = isAnother(chance, workload, life) ? `${workload} ${String(life)}` : workload
  const team = chance.pick(`${name} team`, [...TEAMS, ...TEAMS, undefined])
  return {
    ...(team === undefined ? {} : { team }),
    preemptible: chance.of(`${name} preemptible`) < 0.5,
    priority: chance.pick(`${name} priority`, [0, 0, 10, 100]),
  }
}

/** In a world with teams a life may ask for more or less, and for somebody else. */
export function isAnother(chance: Chance, workload: string, life: number): boolean {
  return life > 0 && chance.of(`${workload} is another in ${String(life)}`) < 0.3
}

/** All that the hosts ever ask for. */
export const HOST_CPUS = 6

/** Two that may be anywhere: one lives on what is idle, the other needs it back at times. */
export const NEIGHBOURS = ['guest', 'host'] as const

/** Nothing is guaranteed to the guests, and they buy what they borrow; the hosts lend all. */
const GUESTS: Document = { kind: 'Team', name: 'guests', quota: { cpu: 0 }, borrow: 'buy' }
const HOSTS: Document = { kind: 'Team', name: 'hosts', quota: { cpu: HOST_CPUS } }

export function neighbourOf(name: string): Document | undefined {
  const common = { kind: 'Workload', name, command: ['serve'], terminationGraceSeconds: 5 }
  if (name === 'guest') {
    const resources = { cpu: '500m', memory: '256Mi' }
    return { ...common, team: GUESTS.name, replicas: 8, preemptible: true, resources }
  }
  if (name === 'host') {
    const resources = { cpu: '1', memory: '512Mi' }
    return { ...common, team: HOSTS.name, replicas: 2, resources }
  }
  return undefined
}
