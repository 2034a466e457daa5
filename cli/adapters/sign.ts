/**
 * Signature version 4 for an API behind IAM: an API Gateway address names its own region.
 *
 * Credentials are the ambient ones, found as every AWS tool finds them (environment, profile, SSO,
 * role). The libraries load only when something must be signed, so a local command starts at once.
 */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { CliError } from '../errors.ts'
import type { Sign } from './http.ts'

export type Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

const GATEWAY = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/

/** The region of an API Gateway address; undefined for any other host. */
export function gatewayRegion(url: URL): string | undefined {
  return GATEWAY.exec(url.hostname)?.[1]
}

export type SignOptions = {
  readonly region: string
  /** Milliseconds since the epoch. */
  now(): number
  credentials?(): Promise<Credentials>
}

export function makeSign({ region, now, credentials }: SignOptions): Sign {
  let provider = credentials
  return async ({ method, url, headers, body }) => {
    const { SignatureV4 } = await import('@smithy/signature-v4')
    provider ??= await ambientCredentials()
    const signer = new SignatureV4({
      region,
      service: 'execute-api',
      credentials: await known(provider),
      sha256: Sha256,
    })
    const signed = await signer.sign(
      {
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { ...headers, host: url.host },
        body,
      },
      { signingDate: new Date(now()) },
    )
    // fetch sets the host itself, to the same value.
    const { host: _host, ...rest } = signed.headers
    return rest
  }
}

async function ambientCredentials(): Promise<() => Promise<Credentials>> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node')
  return defaultProvider()
}

async function known(provider: () => Promise<Credentials>): Promise<Credentials> {
  try {
    return await provider()
  } catch (cause) {
    throw new CliError({
      code: 'NoCredentials',
      text: 'this API wants AWS credentials, and there are none',
      next: 'set AWS_PROFILE, run aws sso login, or set AWS_ACCESS_KEY_ID and its secret',
      cause,
    })
  }
}

/** Node's own SHA-256 in the shape the signer wants; with a secret, an HMAC. */
class Sha256 {
  readonly #secret: Parameters<typeof createHmac>[1] | undefined
  #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret === undefined ? undefined : bytesOf(secret)
    this.#hash = this.#fresh()
  }

  update(chunk: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(chunk))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()))
  }

  reset(): void {
    this.#hash = this.#fresh()
  }

  #fresh(): Hash | Hmac {
    return this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret)
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return new Uint8Array(data)
}
