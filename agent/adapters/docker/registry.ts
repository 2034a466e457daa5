/**
 * Who this machine is to a registry: ECR lets the node's role in, all others are asked as nobody.
 *
 * A token is for all registries of a region that the role may read, and lives twelve hours. Source:
 * Amazon ECR API, GetAuthorizationToken; the hosts of amazon-ecr-credential-helper.
 */
import { ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr'
import { LIMITS } from '#shared/model/limits.ts'
import { DockerError } from '../../errors.ts'
import type { Credentials, CredentialsFor } from './images.ts'

const DOMAINS = [
  ...['amazonaws.com', 'amazonaws.com.cn', 'amazonaws.eu'],
  ...['on.aws', 'on.amazonwebservices.com.cn'],
]
const ECR_HOST = /^\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.([a-z.]+)$/

/** The region of a private ECR host; undefined for every other registry. */
export function ecrRegionOf(host: string): string | undefined {
  const [, region, domain = ''] = ECR_HOST.exec(host) ?? []
  return DOMAINS.includes(domain) ? region : undefined
}

type Token = { readonly credentials: Credentials; readonly goodUntilMs: number }

/** `endpoint` takes the place of ECR's own, in tests. */
export function openRegistries(endpoint?: string): CredentialsFor {
  const tokens = new Map<string, Token>()
  return async (host) => {
    const region = ecrRegionOf(host)
    if (region === undefined) return undefined
    const known = tokens.get(region)
    if (known !== undefined && Date.now() < known.goodUntilMs) return known.credentials
    const token = await askForToken(region, endpoint)
    tokens.set(region, token)
    return token.credentials
  }
}

async function askForToken(region: string, endpoint: string | undefined): Promise<Token> {
  const client = new ECRClient({
    ...{ region, maxAttempts: 3 },
    ...(endpoint === undefined ? {} : { endpoint }),
  })
  try {
    const command = new GetAuthorizationTokenCommand({})
    const abortSignal = AbortSignal.timeout(LIMITS.registryTokenMs)
    const { authorizationData } = await client.send(command, { abortSignal })
    const [data] = authorizationData ?? []
    const text = Buffer.from(data?.authorizationToken ?? '', 'base64').toString('utf8')
    const colon = text.indexOf(':')
    if (colon < 0) throw new Error('the answer has no token')
    const endsMs = data?.expiresAt?.getTime() ?? Date.now()
    return {
      credentials: { username: text.slice(0, colon), password: text.slice(colon + 1) },
      goodUntilMs: endsMs - LIMITS.registryTokenSpareMs,
    }
  } catch (cause) {
    throw new DockerError({
      text: `ECR in ${region} gives no token`,
      ...{ cause, said: `ECR in ${region} gives no token: ${String(cause)}` },
      next: 'the node role needs ecr:GetAuthorizationToken; the replica is started again later',
    })
  } finally {
    client.destroy()
  }
}
