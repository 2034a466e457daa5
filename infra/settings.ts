/**
 * What a person may decide about the stack, read from the CDK context and checked at once.
 *
 *     npx cdk deploy -c cluster=prod -c vpcId=vpc-1 \
 *       -c subnets=us-east-1a=subnet-1,us-east-1b=subnet-2
 */
import { z } from 'zod'
import { DroverError } from '#shared/base/errors.ts'
import { nameSchema } from '#shared/model/names.ts'
import { quotaPolicySchema } from '#shared/model/quota-policy.ts'

export class SettingsError extends DroverError {
  constructor(text: string, seen: unknown) {
    super({
      code: 'BadSettings',
      text,
      seen,
      next: 'correct the value given with -c, or in the "context" of cdk.json',
    })
  }
}

const zoneSubnets = z
  .string()
  .regex(/^[a-z0-9-]+=subnet-[0-9a-z]+(,[a-z0-9-]+=subnet-[0-9a-z]+)*$/, {
    error: 'must read like us-east-1a=subnet-1,us-east-1b=subnet-2',
  })
  .transform((text) => Object.fromEntries(text.split(',').map((pair) => pair.split('='))))
  .pipe(z.record(z.string(), z.string()))

/** One or more of them: a list in cdk.json, a text with commas between them after `-c`. */
const listOf = (item: z.ZodString): z.ZodType<string[]> =>
  z
    .union([z.array(z.string()), z.string().transform((text) => text.split(','))])
    .pipe(z.array(item).min(1))

const targetGroupArn = z
  .string()
  .regex(/^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup\/\S+$/, {
    error: 'must be ARNs of target groups, with commas between them',
  })
const securityGroup = z.string().regex(/^sg-([0-9a-f]{8}|[0-9a-f]{17})$/, {
  error: 'must be ids of security groups, with commas between them',
})
const bucket = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^*?]*)?$/, {
  error: 'must be a bucket, or a bucket and a prefix: acme-recs/models/',
})

const settingsSchema = z
  .object({
    /** Names the stack, the group of the wakes and the metrics' dimension. */
    cluster: nameSchema.default('drover'),
    /**
     * An existing network; with `subnets` it needs no look-up, without them its public subnets
     * serve.
     */
    vpcId: z.string().startsWith('vpc-').optional(),
    subnets: zoneSubnets.optional(),
    /** How teams' quotas are shared out. */
    quotaPolicy: quotaPolicySchema,
    /** Those that workloads may stand behind; without it all of the account and region. */
    targetGroups: listOf(targetGroupArn).optional(),
    /** Of load balancers that stand in front of replicas: these may reach them. */
    loadBalancerSecurityGroups: listOf(securityGroup).optional(),
    /** What of S3 nodes may fetch data from; nothing where it is absent. */
    dataBuckets: listOf(bucket).optional(),
    /** Where alarms are sent, besides being shown in CloudWatch. */
    alarmTopicArn: z.string().startsWith('arn:').optional(),
    /** `false` leaves the code out, for tests that look at the template alone. */
    bundle: z
      .union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])
      .default(true),
  })
  .refine(({ subnets, vpcId }) => subnets === undefined || vpcId !== undefined, {
    error: 'subnets need the vpcId they belong to',
  })
export type Settings = z.infer<typeof settingsSchema>

/**
 * Where drover's own code lies in the bucket of CDK's assets. Machines that boot while a newer
 * agent is deployed fetch the older one: they may read all of this, and nothing else of the bucket.
 */
export const assetsOf = ({ cluster }: Pick<Settings, 'cluster'>): string => `drover/${cluster}/`

/** The settings as `contextOf` gives them; throws SettingsError naming every fault. */
export function readSettings(contextOf: (name: string) => unknown): Settings {
  const names = Object.keys(settingsSchema.shape)
  const seen = Object.fromEntries(names.map((name) => [name, contextOf(name)]))
  const parsed = settingsSchema.safeParse(seen)
  if (parsed.success) return parsed.data
  throw new SettingsError(z.prettifyError(parsed.error), seen)
}
