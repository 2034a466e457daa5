/**
 * Instance metadata: who this machine is, and whether EC2 means to end it.
 *
 * Version 2 only, so every question carries a session token, renewed when it is refused. Notices
 * answer 404 while there are none. Sources: EC2 user guide, "Retrieve instance metadata", "Spot
 * Instance interruption notices" and "EC2 instance rebalance recommendations".
 */
import { z } from 'zod'
import { LIMITS } from '#shared/model/limits.ts'
import { MetadataError } from '../errors.ts'
import type { Metadata, Notices } from '../ports.ts'

export type Identity = {
  readonly instanceId: string
  /** `arn:aws:ec2:us-east-1:123456789012:instance/i-0abc`: the key of all that the node shares. */
  readonly arn: string
  readonly region: string
  readonly zone: string
  readonly instanceType: string
  /** The instance's private address. */
  readonly address: string
}

export type InstanceMetadata = Metadata & {
  /** Throws MetadataError when instance metadata does not answer. */
  identity(): Promise<Identity>
}

const identitySchema = z.object({
  instanceId: z.string().min(1),
  accountId: z.string().min(1),
  region: z.string().min(1),
  availabilityZone: z.string().min(1),
  instanceType: z.string().min(1),
})
const actionSchema = z.object({
  action: z.string().max(20),
  time: z.iso.datetime({ offset: true }),
})

const TOKEN_SECONDS = 21_600

export type MetadataOptions = { readonly url: string; readonly timeoutMs?: number }

export function openMetadata(options: MetadataOptions): InstanceMetadata {
  const ask = asker(options)
  const must = async (path: string): Promise<string> => {
    const text = await ask(path)
    if (text === undefined) throw failed(path, 'answered 404')
    return text
  }
  return {
    identity: async () => {
      const path = '/latest/dynamic/instance-identity/document'
      const document = parsed(path, await must(path), identitySchema)
      const { instanceId, accountId, region } = document
      return {
        ...{ instanceId, region },
        arn: `arn:${partitionOf(region)}:ec2:${region}:${accountId}:instance/${instanceId}`,
        zone: document.availabilityZone,
        instanceType: document.instanceType,
        address: (await must('/latest/meta-data/local-ipv4')).trim(),
      }
    },
    notices: async (): Promise<Notices> => {
      const path = '/latest/meta-data/spot/instance-action'
      const [action, rebalance] = await Promise.all([
        ask(path),
        ask('/latest/meta-data/events/recommendations/rebalance'),
      ])
      const notice = { rebalance: rebalance !== undefined }
      if (action === undefined) return notice
      const { action: name, time } = parsed(path, action, actionSchema)
      return { ...notice, interruption: { action: name, deadlineMs: Date.parse(time) } }
    },
  }
}

/** Asks a path with the session's token; undefined for 404. */
function asker(options: MetadataOptions): (path: string) => Promise<string | undefined> {
  const timeoutMs = options.timeoutMs ?? LIMITS.metadataTimeoutMs
  let token: Promise<string> | undefined

  const send = async (path: string, init: RequestInit): Promise<Response> => {
    try {
      const signal = AbortSignal.timeout(timeoutMs)
      return await fetch(`${options.url}${path}`, { ...init, signal })
    } catch (cause) {
      throw failed(path, 'did not answer', cause)
    }
  }
  const freshToken = async (): Promise<string> => {
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_SECONDS) }
    const response = await send('/latest/api/token', { method: 'PUT', headers })
    if (!response.ok) throw failed('/latest/api/token', `answered ${String(response.status)}`)
    return await response.text()
  }
  const get = async (path: string): Promise<Response> => {
    token ??= freshToken()
    try {
      return await send(path, { headers: { 'x-aws-ec2-metadata-token': await token } })
    } catch (error) {
      token = undefined
      throw error
    }
  }
  return async (path) => {
    let response = await get(path)
    if (response.status === 401) {
      await response.body?.cancel()
      token = undefined
      response = await get(path)
    }
    const text = await response.text().catch((cause: unknown) => {
      throw failed(path, 'broke off', cause)
    })
    if (response.status === 404) return undefined
    if (!response.ok) throw failed(path, `answered ${String(response.status)}`)
    return text
  }
}

function parsed<T>(path: string, text: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw failed(path, 'answered something else than it documents', cause)
  }
}

function failed(path: string, text: string, cause?: unknown): MetadataError {
  return new MetadataError({
    text: `${path} ${text}`,
    cause,
    isLate: cause instanceof Error && cause.name === 'TimeoutError',
    next: 'the agent asks again; see DROVER_METADATA_URL and the instance metadata options',
  })
}

/** China and GovCloud have partitions of their own. */
function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  if (region.startsWith('us-gov-')) return 'aws-us-gov'
  return 'aws'
}
