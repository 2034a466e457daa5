/**
 * Workload: what should run, how many times, on what, and how it may be disturbed.
 *
 * Half of it is the *template*, everything a replica is made of: its hash is the version, and a
 * change of it is a roll-out. The other half is *policy*: a change of it rolls nothing. The schema
 * is strict, so a misspelt field is refused and not silently ignored.
 */
import { z } from 'zod'
import { dataSchema } from './data.ts'
import { gangDeadlineSchema, gangSchema, refuseContradictions } from './gang.ts'
import { LIMITS } from './limits.ts'
import { nameSchema, TEAM_TAINT_KEY } from './names.ts'
import { notYet } from './not-yet.ts'
import { servicePort, serviceSchema } from './service.ts'
import {
  countOrPercent,
  cpuQuantity,
  gpuQuantity,
  memoryQuantity,
  parseMib,
  parseMilli,
  type Resources,
} from './quantities.ts'
import { refuseUnscalable, scaleSchema } from './scale.ts'

const seconds = (max: number): z.ZodInt => z.int().min(0).max(max)

export const resourcesSchema = z.strictObject({
  cpu: cpuQuantity.default('100m').describe('requested CPUs'),
  memory: memoryQuantity.default('128Mi').describe('requested memory; a replica never gets less'),
  gpu: gpuQuantity.default(0).describe('whole devices, or a part of one device'),
  disk: memoryQuantity
    .optional()
    .describe('disk for what it writes and for its data; with data, room for two versions is kept'),
})

export const capacitySchema = z.strictObject({
  spot: z
    .enum(['allowed', 'required', 'never'])
    .default('allowed')
    .describe('whether spot machines will do'),
  onDemandBase: z
    .int()
    .min(0)
    .max(LIMITS.replicasMax)
    .default(0)
    .describe('so many replicas at least run on on-demand machines'),
  onDemandPercent: z
    .int()
    .min(0)
    .max(100)
    .default(0)
    .describe('so much of the replicas, in percent, runs on on-demand machines'),
})

const topologySchema = z
  .union([
    z.enum(['zone', 'node']),
    z.strictObject({ by: z.enum(['zone', 'node']), group: nameSchema }),
  ])
  .meta({
    id: 'Topology',
    description: 'zone, node, or {by: zone|node, group: NAME} where several workloads share it',
  })

export const placementSchema = z.strictObject({
  pools: z
    .array(nameSchema)
    .min(1)
    .optional()
    .describe('pools to use; without it, every pool whose taints are tolerated'),
  architectures: z
    .array(z.enum(['amd64', 'arm64']))
    .min(1)
    .optional()
    .describe('processors the command or image runs on; without it, all'),
  instanceFamilies: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('only machines of these families, like m7a'),
  gpuModels: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('only these GPUs, like nvidia-t4'),
  zones: z.array(z.string().min(1)).min(1).optional().describe('only these availability zones'),
  spread: topologySchema.optional().describe('evenly over zones or nodes'),
  affinity: topologySchema.optional().describe('all in one zone or on one node'),
  antiAffinity: topologySchema.optional().describe('no two in one zone or on one node'),
})

export const tolerationSchema = z.strictObject({
  key: z
    .string()
    .min(1)
    .refine((key) => key !== TEAM_TAINT_KEY, {
      error: 'comes with the team: a workload bears the taint of the pools its own team owns',
    })
    .describe('the key of the taint it bears'),
  /** Absent: tolerates every value of the key. */
  value: z.string().optional().describe('the value; without it, every value of the key'),
})

export const portSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,14}$/, { error: 'must be like http or grpc-2' })
    .describe('probes and addresses name it'),
  containerPort: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe('the port it listens on; without it, PORT_NAME in the environment says which'),
})

const probeTiming = {
  intervalSeconds: z.int().min(1).max(300).default(10).describe('from one probe to the next'),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(60)
    .default(1)
    .describe('a probe that takes longer has failed'),
  failureThreshold: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe('failures in a row until it is not ready'),
  initialDelaySeconds: z.int().min(0).max(3_600).default(0).describe('before the first probe'),
}

export const healthSchema = z
  .strictObject({
    http: z
      .strictObject({
        path: z.string().startsWith('/').default('/').describe('what is asked for'),
        port: z.string().describe('the name of one of the ports'),
      })
      .optional()
      .describe('a GET must answer 200 to 399'),
    tcp: z
      .strictObject({ port: z.string().describe('the name of one of the ports') })
      .optional()
      .describe('a connection must open'),
    exec: z
      .strictObject({ command: z.array(z.string()).min(1).describe('program and arguments') })
      .optional()
      .describe('a command must end with 0'),
    ...probeTiming,
  })
  .refine((health) => [health.http, health.tcp, health.exec].filter(Boolean).length === 1, {
    error: 'must have exactly one of http, tcp and exec',
  })

export const rolloutSchema = z.strictObject({
  maxUnavailable: countOrPercent
    .default('25%')
    .describe('how many may be missing while replicas are replaced'),
  maxSurge: countOrPercent.default('25%').describe('how many more may run meanwhile'),
  minReadySeconds: seconds(3_600).default(0).describe('ready for so long counts as available'),
  progressDeadlineSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(600)
    .describe('without progress for so long, a roll-out has failed; lost nodes extend it'),
  healthyDeadlineSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .describe('a new replica must be ready within it'),
  bakeSeconds: seconds(86_400).default(0).describe('a finished roll-out is watched for so long'),
  maxFailures: countOrPercent
    .default('10%')
    .describe('so many failed replicas end it; a share means 3 at least and 200 at most'),
  onFailure: z
    .enum(['halt', 'rollback'])
    .default('halt')
    .describe('what of it is ready goes on serving, or goes back to the version before'),
})

export const availabilitySchema = z.strictObject({
  minAvailable: countOrPercent.optional().describe('no voluntary disruption takes it below'),
  minReliable: countOrPercent
    .optional()
    .describe('so many of those on on-demand nodes, where no spot interruption takes them'),
})

/** Everything a replica is made of; its hash is the version. */
export const templateShape = {
  image: z.string().min(1).optional().describe('container image; without one it runs as a process'),
  command: z.array(z.string()).min(1).optional().describe('program and arguments'),
  env: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be like LOG_LEVEL' }),
      z.string(),
    )
    .refine((env) => Object.keys(env).length <= LIMITS.envMaxEntries, {
      error: `must have at most ${String(LIMITS.envMaxEntries)} entries`,
    })
    .default({})
    .describe('environment variables'),
  secrets: notYet(z.record(z.string(), z.string()), 'secrets'),
  resources: resourcesSchema.prefault({}).describe('what each replica asks for'),
  data: dataSchema
    .optional()
    .describe('what it serves: every node has it whole before a replica starts'),
  ports: z
    .array(portSchema)
    .max(LIMITS.portsMax)
    .refine((ports) => new Set(ports.map((port) => port.name)).size === ports.length, {
      error: 'must have distinct names',
    })
    .default([])
    .describe('ports it listens on'),
  health: healthSchema
    .optional()
    .describe('how to tell that it is ready: exactly one of http, tcp and exec'),
  service: serviceSchema.optional().describe('the load balancer that its replicas stand behind'),
  terminationGraceSeconds: seconds(3_600)
    .default(30)
    .describe('from the request to stop until it is killed'),
}

const policyShape = {
  team: nameSchema.optional().describe('the team whose quota it uses'),
  replicas: z
    .int()
    .min(0)
    .max(LIMITS.replicasMax)
    .optional()
    .describe('how many should run; a PUT over an existing workload may leave it out'),
  scale: scaleSchema
    .optional()
    .describe('instead of replicas: between min and max, as its metrics ask for'),
  priority: z.int().min(-1_000_000).max(1_000_000).default(0).describe('higher goes first'),
  preemptible: z.boolean().default(false).describe('may be stopped for others'),
  capacity: capacitySchema.prefault({}).describe('spot or on-demand'),
  placement: placementSchema.prefault({}).describe('where it may run'),
  tolerations: z.array(tolerationSchema).max(50).default([]).describe('taints it bears'),
  rollout: rolloutSchema.prefault({}).describe('how a change of the template is carried out'),
  availability: availabilitySchema.prefault({}).describe('what must stay available'),
  gang: gangSchema
    .optional()
    .describe('its replicas run all together or not at all; with restart, who starts anew'),
  gangDeadlineSeconds: gangDeadlineSchema
    .optional()
    .describe('a gang that is not all ready by then gives up what it holds; without it, 1800'),
  dependsOn: z
    .array(nameSchema)
    .max(LIMITS.dependsOnMax)
    .refine((names) => new Set(names).size === names.length, { error: 'must be distinct' })
    .optional()
    .describe('its first start waits until these workloads are available'),
}

/** A Workload document without `kind` and `name`, as it is stored: defaults filled in. */
export const workloadSpecSchema = z
  .strictObject({ ...policyShape, ...templateShape })
  .superRefine((spec, context) => {
    if (spec.image === undefined && spec.command === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['command'],
        message: 'is needed: say what to run with command, image, or both',
      })
    }
    const port = spec.health?.http?.port ?? spec.health?.tcp?.port
    if (port !== undefined && !spec.ports.some((own) => own.name === port)) {
      const names = spec.ports.map((own) => own.name).join(', ')
      context.addIssue({
        code: 'custom',
        path: ['health', spec.health?.http === undefined ? 'tcp' : 'http', 'port'],
        message: `must name one of the ports (${names === '' ? 'there are none' : names})`,
        input: port,
      })
    }
    const served = servicePort(spec)
    if (spec.service !== undefined && !spec.ports.some((own) => own.name === served)) {
      const names = spec.ports.map((own) => own.name).join(', ')
      context.addIssue({
        code: 'custom',
        path: ['service', 'port'],
        message: `must name one of the ports (${names === '' ? 'there are none' : names})`,
        input: served,
      })
    }
    if (spec.availability.minReliable !== undefined && spec.capacity.spot === 'required') {
      context.addIssue({
        code: 'custom',
        path: ['availability', 'minReliable'],
        message: 'cannot be kept: capacity.spot is required, so nothing runs on on-demand nodes',
        input: spec.availability.minReliable,
      })
    }
    refuseContradictions(spec, context)
    refuseUnscalable(spec, context)
  })
  .meta({ id: 'WorkloadSpec' })

export type WorkloadSpec = z.infer<typeof workloadSpecSchema>
export type Health = z.infer<typeof healthSchema>
export type Placement = z.infer<typeof placementSchema>
export type Toleration = z.infer<typeof tolerationSchema>

/**
 * What a replica of the spec asks for, in whole units. Data is there twice while one version takes
 * the place of another, on each node, so room for both is kept before a roll-out starts.
 */
export function resourcesOf(spec: Pick<WorkloadSpec, 'resources' | 'data'>): Resources {
  const { cpu, memory, gpu, disk } = spec.resources
  const diskMib = disk === undefined ? 0 : (parseMib(disk) ?? 0)
  return {
    cpuMilli: parseMilli(cpu) ?? 0,
    memoryMib: parseMib(memory) ?? 0,
    gpuMilli: parseMilli(gpu) ?? 0,
    diskMib: spec.data === undefined ? diskMib : 2 * diskMib,
  }
}
