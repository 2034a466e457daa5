/**
 * Instance metadata, version 2, for every emulated instance under a path of its own.
 *
 * A real instance finds it at 169.254.169.254 and can see no other's; here the agent is told its
 * base address in DROVER_METADATA_URL. As on EC2, each read needs a token from a PUT, and the spot
 * notice and the rebalance recommendation are 404 until there is one. A machine that is down has no
 * metadata.
 */
import { randomBytes } from 'node:crypto'
import type { MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import { isoSeconds } from '#shared/cloud/memory-ec2/events.ts'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'

export type MetadataRequest = {
  readonly method: string
  readonly instanceId: string
  /** `/latest/meta-data/instance-id` */
  readonly path: string
  readonly header: (name: string) => string | undefined
}

export type MetadataAnswer = {
  readonly httpStatus: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export type Metadata = { answer(request: MetadataRequest): MetadataAnswer }

const TOKEN_PATH = '/latest/api/token'
const TOKEN_HEADER = 'x-aws-ec2-metadata-token'
const TTL_HEADER = 'x-aws-ec2-metadata-token-ttl-seconds'
/** EC2's own maximum: six hours. */
const TTL_MAX_SECONDS = 21_600

type Token = { readonly instanceId: string; readonly untilMs: number }

export function makeMetadata(world: MemoryEc2, clock: () => number): Metadata {
  const tokens = new Map<string, Token>()
  const answer = (request: MetadataRequest): MetadataAnswer => {
    world.settle()
    const instance = world.instance(request.instanceId)
    if (instance === undefined || !instance.up) return status(404, 'Not Found')
    if (request.path === TOKEN_PATH) return tokenFor(request)
    if (request.method !== 'GET') return status(405, 'Method Not Allowed')
    const token = tokens.get(request.header(TOKEN_HEADER) ?? '')
    if (token?.instanceId !== request.instanceId || token.untilMs <= clock()) {
      return status(401, 'Unauthorized')
    }
    const body = VALUES[request.path]?.(instance, world)
    return body === undefined ? status(404, 'Not Found') : { httpStatus: 200, body }
  }
  const tokenFor = (request: MetadataRequest): MetadataAnswer => {
    if (request.method !== 'PUT') return status(405, 'Method Not Allowed')
    const ttl = Number(request.header(TTL_HEADER))
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > TTL_MAX_SECONDS)
      return status(400, 'Bad Request')
    const nowMs = clock()
    for (const [own, { untilMs }] of tokens) if (untilMs <= nowMs) tokens.delete(own)
    const token = randomBytes(30).toString('base64url')
    tokens.set(token, { instanceId: request.instanceId, untilMs: nowMs + ttl * 1_000 })
    return { httpStatus: 200, body: token, headers: { [TTL_HEADER]: String(ttl) } }
  }
  return { answer }
}

function status(httpStatus: number, text: string): MetadataAnswer {
  return { httpStatus, body: `${String(httpStatus)} - ${text}\n` }
}

type Value = (instance: Ec2Instance, world: MemoryEc2) => string | undefined

const VALUES: Readonly<Record<string, Value>> = {
  '/latest/dynamic/instance-identity/document': identity,
  '/latest/meta-data/instance-id': ({ instanceId }) => instanceId,
  '/latest/meta-data/instance-type': ({ instanceType }) => instanceType,
  '/latest/meta-data/ami-id': ({ imageId }) => imageId,
  '/latest/meta-data/local-ipv4': ({ privateIp }) => privateIp,
  '/latest/meta-data/instance-life-cycle': ({ capacityType }) => capacityType,
  '/latest/meta-data/placement/availability-zone': ({ zone }) => zone,
  '/latest/meta-data/placement/region': (_, { options }) => options.region,
  '/latest/meta-data/spot/instance-action': ({ interruption }) =>
    interruption === undefined
      ? undefined
      : JSON.stringify({ action: interruption.action, time: isoSeconds(interruption.atMs) }),
  '/latest/meta-data/events/recommendations/rebalance': ({ rebalanceAtMs }) =>
    rebalanceAtMs === undefined
      ? undefined
      : JSON.stringify({ noticeTime: isoSeconds(rebalanceAtMs) }),
}

function identity(instance: Ec2Instance, { options }: MemoryEc2): string {
  const type = options.instanceTypes.find(({ name }) => name === instance.instanceType)
  const document = {
    accountId: options.account,
    architecture: type?.architecture === 'arm64' ? 'arm64' : 'x86_64',
    availabilityZone: instance.zone,
    imageId: instance.imageId,
    instanceId: instance.instanceId,
    instanceType: instance.instanceType,
    pendingTime: isoSeconds(instance.launchedAtMs),
    privateIp: instance.privateIp,
    region: options.region,
    version: '2017-09-30',
  }
  return JSON.stringify(document, null, 2)
}
