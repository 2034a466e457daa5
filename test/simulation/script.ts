/**
 * What people do and what bad luck does in a world, as a list of timed steps drawn from the seed.
 *
 * The list is made before the world starts, so it can be printed, cut shorter and told again. A
 * step says what kind of machine it means, not which one: that is drawn when it happens.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Noun } from '#shared/model/names.ts'
import type { QuotaPolicyName } from '#shared/model/quota-policy.ts'
import { makeChance, type Chance } from './chance.ts'
import {
  allegianceOf,
  isAnother,
  HOST_CPUS,
  NEIGHBOURS,
  neighbourOf,
  teamOf,
  TEAMS,
  teamsOf,
} from './teams.ts'
import { planFifty } from './fifty.ts'
import { GANGS, gangOf, swellingOf } from './gangs.ts'
import { pushesOf, SCALED, scaledOf } from './scaled.ts'
import type { Found } from './watch.ts'
import { momentsOf, weatherSteps } from './weather.ts'
import { PROFILES, type SimOptions } from './options.ts'
import { withoutItsData, withServing } from './serving.ts'

export type Document = { readonly kind: string; readonly name: string } & Readonly<
  Record<string, unknown>
>

export type Happening =
  // People
  | { readonly kind: 'apply'; readonly document: Document }
  | { readonly kind: 'scale'; readonly name: string; readonly replicas: number }
  /** Somebody says what a workload is scaled by. */
  | { readonly kind: 'push'; readonly name: string; readonly value: number }
  | {
      readonly kind: 'rollout'
      readonly name: string
      readonly action: 'pause' | 'resume' | 'undo'
    }
  | { readonly kind: 'delete'; readonly noun: Noun; readonly name: string }
  | { readonly kind: 'order'; readonly verb: 'cordon' | 'drain' | 'retest' | 'terminate' }
  | { readonly kind: 'withdraw' }
  | { readonly kind: 'release-brake'; readonly pool: string }
  | { readonly kind: 'allow-sweep' }
  /** Somebody vouches for a GPU that failed. */
  | { readonly kind: 'clear-hardware' }
  /** Asks for everything there is to ask for. */
  | { readonly kind: 'look' }
  /** An item that no release here can read, written by another one. */
  | { readonly kind: 'garbage'; readonly name: string }
  // EC2
  | { readonly kind: 'interrupt'; readonly noticeSeconds: number }
  | { readonly kind: 'rebalance' }
  | { readonly kind: 'storm'; readonly share: number }
  | {
      readonly kind: 'drought'
      readonly of: 'spot' | 'zone' | 'type' | 'all'
      readonly forMs: number
    }
  | { readonly kind: 'price'; readonly factor: number; readonly forMs: number }
  | { readonly kind: 'stray' }
  | { readonly kind: 'impair' }
  /** EC2's lists leave a machine out. */
  | { readonly kind: 'unlist'; readonly forMs: number }
  | { readonly kind: 'machine-death' }
  | { readonly kind: 'reboot' }
  /** Hardware breaks, and nobody sees it. */
  | { readonly kind: 'wear' }
  /** Machines of the pool that come into being now fail their burn-in, all of them. */
  | { readonly kind: 'bad-image'; readonly pool: string; readonly forMs: number }
  // Agents and what they run
  | { readonly kind: 'hang'; readonly forMs: number; readonly everybody?: boolean }
  | { readonly kind: 'agent-restart' }
  | { readonly kind: 'nonsense'; readonly forMs: number }
  | { readonly kind: 'process-crash' }
  | { readonly kind: 'process-sick'; readonly forMs: number }
  | {
      readonly kind: 'finding'
      readonly problem: Found
      readonly forMs: number
      /** The hardware is bad, and a test will tell. */
      readonly isTrue: boolean
      readonly everybody?: boolean
    }
  // The table
  | { readonly kind: 'outage'; readonly forMs: number }

export type Step = { readonly atMs: number } & Happening
export type Script = readonly Step[]

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const GRACE_MOST_SECONDS = 60
export const DAY_MS = 86_400_000

export type HerdPlan = {
  readonly types: readonly string[]
  /** Machines a place can sell at once. */
  readonly capacity: { readonly min: number; readonly max: number }
  readonly script: Script
  /** The one by default where none is named. */
  readonly quotaPolicy?: QuotaPolicyName
}

const SMALL_TYPES = ['m7a.medium', 'c7a.medium', 'r7a.medium', 'm7a.large', 'c7a.large']
const LARGE_TYPES = [
  'm6a.large',
  'm7a.xlarge',
  'c6a.xlarge',
  'r7a.xlarge',
  'm7g.large',
  'm7g.xlarge',
]
const GPU_TYPES = ['g4dn.xlarge', 'g5.xlarge', 'g4dn.12xlarge']

/** The herd and its story for these options. */
export function planHerd(options: SimOptions): HerdPlan {
  const chance = makeChance(options.seed)
  return options.herd === 'fifty' ? planFifty(options, chance) : planSmall(options, chance)
}

function planSmall(options: SimOptions, chance: Chance): HerdPlan {
  const withGpus = chance.of('gpus') < 0.4
  const large = LARGE_TYPES.filter((name) => chance.of(`type ${name}`) < 0.5)
  const world: SmallWorld = {
    chance,
    withGpus,
    withTeams: chance.of('teams') < 0.35,
    gangs: chance.of('gangs') < 0.4 ? GANGS.filter((own) => chance.of(own) < 0.6) : [],
    scaled: chance.of('scaled') < 0.4 ? SCALED.filter((own) => chance.of(own) < 0.7) : [],
    workloads: chance.int('workloads', { min: 2, max: 6 }),
  }
  const endMs = options.days * DAY_MS
  const own = Array.from({ length: world.workloads }, (_, i) => `w${String(i + 1)}`)
  const unscaled = [...own, ...(world.withTeams ? NEIGHBOURS : []), ...world.gangs]
  const names = [...unscaled, ...world.scaled]
  const script = [
    ...poolsOf(world).map((document, i): Step => {
      return { atMs: 1_000 + i * 300, kind: 'apply', document }
    }),
    ...(world.withTeams ? teamsOf(chance) : []).map((document): Step => {
      return { atMs: 1_500, kind: 'apply', document }
    }),
    ...names.map((name, i): Step => ({
      atMs: 2_000 + i * 400,
      kind: 'apply',
      document: workloadOf(world, name, 0),
    })),
    ...peopleSteps(world, { names, endMs }),
    ...world.scaled.flatMap((name) => pushesOf(chance, name, endMs)),
    ...weatherSteps(chance, { knobs: PROFILES[options.profile], endMs, machines: 8 }),
  ]
  return {
    types: [...SMALL_TYPES, ...large, ...(withGpus ? GPU_TYPES : [])],
    capacity: { min: 0, max: 6 },
    script: sorted(script),
    ...(world.withTeams && chance.of('policy') < 0.3 ? { quotaPolicy: 'weighted-fair-share' } : {}),
  }
}

export const sorted = (script: readonly Step[]): Script =>
  script.toSorted((a, b) => a.atMs - b.atMs)

type SmallWorld = {
  readonly chance: Chance
  readonly withGpus: boolean
  readonly withTeams: boolean
  readonly gangs: readonly string[]
  readonly scaled: readonly string[]
  readonly workloads: number
}

function poolsOf({ chance, withGpus, withTeams }: SmallWorld): readonly Document[] {
  const isLimited = chance.of('limit') < (withTeams ? 0.7 : 0.3)
  const cpu = chance.int('cpus', withTeams ? { min: 4, max: 14 } : { min: 8, max: 40 })
  const limit = isLimited ? { limits: { cpu } } : {}
  const repack = chance.of('repack') < 0.1 ? { repack: { when: 'never' } } : {}
  const onFailure = chance.pick('on failure', ['replace', 'reset', 'reboot', 'reboot'])
  const retestBusy = chance.of('retest busy') < 0.5 ? 'drain' : 'never'
  const retest = chance.of('retest') < 0.4 ? { retestEverySeconds: 6 * 3_600, retestBusy } : {}
  const tested = { onFailure, ...retest }
  const general: Document = {
    ...{ kind: 'Pool', name: 'general', ...limit, ...repack },
    burnIn: { timeoutSeconds: 120, ...tested },
    ...(chance.of('headroom') < 0.3 ? { headroom: headroomOf(chance) } : {}),
    instances: { families: ['m7a', 'c7a', 'r7a', 'm6a', 'c6a', 'm7g'] },
  }
  const tainted: Document = {
    ...{ kind: 'Pool', name: 'quiet', instances: { families: ['m7a', 'c7a'] } },
    taints: [{ key: 'dedicated', value: 'quiet' }],
    capacityTypes: chance.of('quiet') < 0.5 ? ['on-demand'] : ['spot', 'on-demand'],
  }
  const gpu: Document = {
    ...{ kind: 'Pool', name: 'gpu', instances: { families: ['g4dn', 'g5'] } },
    taints: [{ key: 'gpu' }],
    burnIn: {
      checks: chance.of('deep') < 0.3 ? ['gpu-deep'] : ['cpu', 'gpu-memory'],
      ...{ timeoutSeconds: 180, quarantineSeconds: 600 },
      ...tested,
    },
    ...(chance.of('headroom gpu') < 0.15 ? { headroom: { gpu: 1 } } : {}),
  }
  return [general, tainted, ...(withGpus ? [gpu] : [])]
}

/** A pool as somebody has it from now on: another limit, an age at which to end, fewer types. */
function anotherLife(chance: Chance, pool: Document, key: string): Document {
  const cpu = chance.int(`limit ${key}`, { min: 4, max: 40 })
  const limit = chance.of(`limited ${key}`) < 0.5 ? { limits: { cpu } } : {}
  const hours = chance.pick(`expiry ${key}`, [undefined, 5, 12])
  const age = hours === undefined ? {} : { expireAfterSeconds: hours * 3_600 }
  const { limits: _, ...rest } = pool
  const { families } = pool['instances'] as { families: string[] }
  const kept = families.filter((own) => chance.of(`${own} ${key}`) < 0.7)
  const instances = { families: kept.length === 0 ? families : kept }
  return { ...rest, ...limit, ...age, instances }
}

/** Room that a pool keeps free: not more than its limit might let in. */
function headroomOf(chance: Chance): object {
  const cpu = chance.int('headroom cpu', { min: 1, max: 3 })
  return chance.pick('headroom', [
    { cpu },
    { cpu, memory: `${String(2 * cpu)}Gi` },
    { memory: '3Gi' },
  ])
}

/** One of the workload's lives: another `life` is another template, and mostly the same policy. */
function workloadOf(world: SmallWorld, name: string, life: number): Document {
  const { chance, withGpus, withTeams, gangs, scaled } = world
  const neighbour = neighbourOf(name)
  if (neighbour !== undefined) return { ...neighbour, env: { LIFE: String(life) } }
  const of = (what: string): number => chance.of(`${name} ${what}`)
  const pick = <T>(what: string, list: readonly T[]): T => chance.pick(`${name} ${what}`, list)
  const isGpu = withGpus && of('gpu') < 0.3
  const size = withTeams && isAnother(chance, name, life) ? ` ${String(life)}` : ''
  const cpu = pick(`cpu${size}`, ['100m', '250m', '500m', '1', '1500m', '3'])
  const memory = pick('memory', ['128Mi', '256Mi', '512Mi', '1Gi', '2Gi', '6Gi'])
  const gpu = isGpu ? { gpu: pick('gpus', ['1', '500m', '250m', '2']) } : {}
  const disk = of('disk') < 0.3 ? { disk: pick('disks', ['1Gi', '5Gi', '12Gi', '30Gi']) } : {}
  const spot = pick('spot', ['allowed', 'allowed', 'allowed', 'required', 'never'])
  const base =
    of('base') < 0.25 && spot === 'allowed' ? { onDemandBase: pick('bases', [1, 2]) } : {}
  const topology = pick('topology', [
    {},
    {},
    { spread: 'zone' },
    { spread: 'node' },
    { antiAffinity: 'node' },
    { affinity: 'zone' },
    { spread: { by: 'zone', group: 'shared' } },
  ])
  const reliable =
    of('reliable') < 0.2 && spot !== 'required'
      ? { minReliable: pick('on-demand', [1, 2, '50%']) }
      : {}
  const floor = of('floor') < 0.5 ? { minAvailable: pick('min', [1, 2, '50%', '80%']) } : {}
  const health =
    of('health') < 0.5
      ? {
          ports: [{ name: 'http' }],
          health: { http: { port: 'http' }, intervalSeconds: pick('interval', [2, 5, 10]) },
        }
      : {}
  const document = {
    ...{
      kind: 'Workload',
      name,
      command: ['serve'],
      replicas: chance.int(`${name} count`, { min: 1, max: 7 }),
    },
    ...(withTeams ? allegianceOf(chance, name, life) : {}),
    env: { LIFE: String(life) },
    resources: { cpu, memory, ...gpu, ...disk },
    capacity: { spot, ...base },
    placement: topology,
    tolerations: [
      ...(isGpu ? [{ key: 'gpu' }] : []),
      ...(of('quiet') < 0.3 ? [{ key: 'dedicated', value: 'quiet' }] : []),
    ],
    rollout: {
      maxSurge: pick('surge', ['25%', 1, 0, 2]),
      maxUnavailable: pick('gap', ['25%', 0, 1]),
      minReadySeconds: pick('soak', [0, 0, 5, 20]),
      bakeSeconds: pick('bake', [0, 0, 0, 120]),
      maxFailures: pick('breaker', ['10%', '10%', 1, 2]),
      onFailure: pick('on failure', ['halt', 'halt', 'rollback']),
    },
    availability: { ...floor, ...reliable },
    ...health,
    terminationGraceSeconds: pick('grace', [2, 10, 30, GRACE_MOST_SECONDS]),
  }
  // It may come upon itself, or upon one that depends on it.
  const others = Array.from({ length: world.workloads }, (_, i) => `w${String(i + 1)}`)
  const needs = of('depends') < 0.3 ? { dependsOn: [pick('needs', others)] } : {}
  if (gangs.includes(name)) return gangOf(chance, document, life)
  const served = withServing(chance, { ...document, ...needs }, life)
  return scaled.includes(name) ? scaledOf(chance, served) : served
}

type Story = { readonly names: readonly string[]; readonly endMs: number }

/** What people do in a day, all in all. */
const PEOPLE_PER_DAY = {
  scale: 10,
  change: 8,
  'bad-version': 2,
  deploys: 1,
  hold: 2,
  undo: 2,
  delete: 3,
  order: 6,
  withdraw: 3,
  'release-brake': 0.5,
  'clear-hardware': 2,
  look: 3,
  garbage: 1,
  huge: 1,
  'new-pool': 1,
  'pool-life': 2,
  quota: 3,
  disband: 0.5,
  host: 8,
  swell: 6,
} as const

function peopleSteps(world: SmallWorld, { names, endMs }: Story): Step[] {
  const { chance } = world
  const steps: Step[] = []
  for (const [what, perDay] of Object.entries(PEOPLE_PER_DAY)) {
    for (const [i, atMs] of momentsOf(chance, what, { perDay, endMs }).entries()) {
      const key = `${what} ${String(i)}`
      const name = chance.pick(`who ${key}`, names)
      steps.push(...deedsOf(world, what as keyof typeof PEOPLE_PER_DAY, { key, name, atMs }))
    }
  }
  return steps
}

type Deed = { readonly key: string; readonly name: string; readonly atMs: number }
type Deeds = {
  readonly [K in keyof typeof PEOPLE_PER_DAY]: (world: SmallWorld, deed: Deed) => Step[]
}

const deeds: Omit<Deeds, keyof typeof teamDeeds> = {
  scale: ({ chance, scaled }, { key, name, atMs }) => {
    // Who scales itself is not scaled by hand.
    if (scaled.includes(name)) return []
    const replicas = chance.int(`to ${key}`, { min: 0, max: 9 })
    return [{ atMs, kind: 'scale', name, replicas }]
  },
  change: (world, { name, atMs }) => [
    { atMs, kind: 'apply', document: workloadOf(world, name, Math.round(atMs / 1000)) },
  ],
  'bad-version': (world, { key, name, atMs }) => {
    const { chance } = world
    const good = workloadOf(world, name, Math.round(atMs / 1000))
    const isLookedAt = good['health'] !== undefined || good['service'] !== undefined
    const tempers = isLookedAt ? ['sick', 'crash', 'no-start'] : ['crash', 'no-start']
    const temper = chance.pick(`temper ${key}`, tempers)
    const dataless = chance.of(`no data ${key}`) < 0.5 ? withoutItsData(good) : undefined
    const bad = dataless ?? { ...good, env: { ...(good['env'] as object), BAD: temper } }
    const mendedMs = atMs + chance.int(`mended ${key}`, { min: 2, max: 40 }) * MINUTE_MS
    return [
      { atMs, kind: 'apply', document: bad },
      { atMs: mendedMs, kind: 'apply', document: good },
    ]
  },
  hold: ({ chance }, { key, name, atMs }) => {
    const onMs = atMs + chance.int(`held ${key}`, { min: 1, max: 40 }) * MINUTE_MS
    return [
      { atMs, kind: 'rollout', name, action: 'pause' },
      { atMs: onMs, kind: 'rollout', name, action: 'resume' },
    ]
  },
  'pool-life': (world, { key, atMs }) => {
    const { chance } = world
    const pool = chance.pick(`pool ${key}`, poolsOf(world))
    return [{ atMs, kind: 'apply', document: anotherLife(chance, pool, key) }]
  },
  undo: (_, { name, atMs }) => [{ atMs, kind: 'rollout', name, action: 'undo' }],
  /** A busy hour of a team's CI: version upon version, and now and then an earlier one again. */
  deploys: (world, { key, name, atMs }) => {
    const { chance } = world
    const lives = chance.int(`lives ${key}`, { min: 12, max: 18 })
    const pauseMs = chance.int(`pause ${key}`, { min: 20, max: 240 }) * 1000
    return Array.from({ length: lives }, (_, i): Step => {
      const back = chance.of(`again ${key} ${String(i)}`) < 0.3 ? 2 : 0
      const life = Math.round(atMs / 1000) + Math.max(0, i - back)
      const document = workloadOf(world, name, life)
      return { atMs: atMs + i * pauseMs, kind: 'apply', document }
    })
  },
  delete: (world, { key, name, atMs }) => {
    const backMs = atMs + world.chance.int(`back ${key}`, { min: 0, max: 90 }) * MINUTE_MS
    return [
      { atMs, kind: 'delete', noun: 'workload', name },
      { atMs: backMs + 3_000, kind: 'apply', document: workloadOf(world, name, 1) },
    ]
  },
  order: ({ chance }, { key, atMs }) => {
    const verbs = ['cordon', 'drain', 'drain', 'retest', 'terminate'] as const
    return [{ atMs, kind: 'order', verb: chance.pick(`verb ${key}`, verbs) }]
  },
  withdraw: (_world, { atMs }) => [{ atMs, kind: 'withdraw' }],
  'release-brake': (_world, { atMs }) => [{ atMs, kind: 'release-brake', pool: 'general' }],
  'clear-hardware': (_world, { atMs }) => [{ atMs, kind: 'clear-hardware' }],
  look: (_world, { atMs }) => [{ atMs, kind: 'look' }],
  garbage: (_world, { key, atMs }) => [{ atMs, kind: 'garbage', name: key.replace(' ', '-') }],
  huge: (world, { key, atMs }) => {
    const name = key.replace(' ', '-')
    const resources = { cpu: '900' }
    const document = { ...workloadOf(world, name, 0), name, resources, replicas: 2 }
    return [{ atMs, kind: 'apply', document }]
  },
  'new-pool': ({ chance }, { key, atMs }) => {
    const name = `extra-${key.replace(/.* /, '')}`
    const document = { kind: 'Pool', name, instances: { families: ['c7a', 'm7a'] } }
    const goneMs = atMs + chance.int(`gone ${key}`, { min: 30, max: 400 }) * MINUTE_MS
    return [
      { atMs, kind: 'apply', document },
      { atMs: goneMs, kind: 'delete', noun: 'pool', name },
    ]
  },
}

const teamDeeds = {
  quota: ({ chance, withTeams }, { key, atMs }) => {
    const name = chance.pick(`team ${key}`, TEAMS)
    const document = teamOf(chance, name, Math.round(atMs / 1000))
    return withTeams ? [{ atMs, kind: 'apply', document }] : []
  },
  disband: ({ chance, withTeams }, { key, atMs }) => {
    const name = chance.pick(`team ${key}`, TEAMS)
    const backMs = atMs + chance.int(`back ${key}`, { min: 1, max: 90 }) * MINUTE_MS
    if (!withTeams) return []
    return [
      { atMs, kind: 'delete', noun: 'team', name },
      { atMs: backMs, kind: 'apply', document: teamOf(chance, name, 1) },
    ]
  },
  host: ({ chance, withTeams }, { key, atMs }) => {
    const replicas = chance.int(`to ${key}`, { min: 0, max: HOST_CPUS })
    return withTeams ? [{ atMs, kind: 'scale', name: 'host', replicas }] : []
  },
  swell: ({ chance, gangs }, { key, atMs }) => {
    if (gangs.length === 0) return []
    const name = chance.pick(`gang ${key}`, gangs)
    const { most, after } = swellingOf(chance, key)
    const backMs = atMs + chance.int(`back ${key}`, { min: 2, max: 240 }) * MINUTE_MS
    return [
      { atMs, kind: 'scale', name, replicas: most },
      { atMs: backMs, kind: 'scale', name, replicas: after },
    ]
  },
} satisfies Partial<Deeds>

function deedsOf(world: SmallWorld, what: keyof Deeds, deed: Deed): Step[] {
  return { ...deeds, ...teamDeeds }[what](world, deed)
}

/**
 * Within so long after the last fault the herd must be whole: the ten minutes and deadlines of
 * DESIGN's rule 10, of a boot, a burn-in, a drain and the longest grace, and as long as EC2 may not
 * be asked again for what it had no capacity for.
 */
export const LIVENESS_MAX_MS =
  10 * MINUTE_MS +
  LIMITS.bootDeadlineMs +
  LIMITS.burnInTimeoutSeconds * 1000 +
  LIMITS.drainDefaultMs +
  GRACE_MOST_SECONDS * 1000 +
  LIMITS.shortageMaxMs
/** Time in which machines in service are tested again does not count, up to this. */
export const TESTS_MAX_MS = 2 * HOUR_MS
