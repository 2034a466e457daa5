/**
 * Images: which one a reference means, and how it comes to this machine.
 *
 * One pull serves all replicas that wait for the same image. A registry that falls silent would
 * hold the engine for ever, so a pull has an end for silence and one for all; and because its
 * answer begins before it is known whether it will succeed, the last word is whether the image is
 * there.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LIMITS } from '#shared/model/limits.ts'
import { DockerError } from '../../errors.ts'
import type { Engine } from './engine.ts'
import type { ImageRoom } from './image-room.ts'

export type Reference = {
  /** `nginx`, `public.ecr.aws/x/y`, `host:5000/a/b` */
  readonly repository: string
  /** A tag, or a digest with its algorithm. Never empty: without one, all tags would be pulled. */
  readonly tag: string
  /** The registry's host; Docker Hub's own where none is named. */
  readonly host: string
}

/** Source: distribution/reference, as Docker reads it. */
export function referenceOf(image: string): Reference {
  const at = image.indexOf('@')
  const named = at < 0 ? image : image.slice(0, at)
  const colon = named.lastIndexOf(':')
  const isTagged = colon > named.lastIndexOf('/')
  const repository = isTagged ? named.slice(0, colon) : named
  const first = repository.split('/')[0] ?? ''
  const isHost = repository.includes('/') && /[.:]|^localhost$/.test(first)
  return {
    repository,
    tag: at >= 0 ? image.slice(at + 1) : isTagged ? named.slice(colon + 1) : 'latest',
    host: isHost ? first : 'docker.io',
  }
}

export type Credentials = { readonly username: string; readonly password: string }

/** The credentials for a registry; undefined where none are needed or known. */
export type CredentialsFor = (host: string) => Promise<Credentials | undefined>

export type Images = {
  /** Sees to it that the image is here; throws DockerError with a code that says why it is not. */
  have(image: string): Promise<void>
}

export type ImagesOptions = {
  readonly engine: Engine
  readonly credentialsFor: CredentialsFor
  readonly room: ImageRoom
}

export function openImages(options: ImagesOptions): Images {
  const { engine, room } = options
  const pulls = new Map<string, Promise<void>>()
  const isHere = async (reference: Reference): Promise<boolean> => {
    const id = await idOf(engine, reference)
    if (id !== undefined) room.use(id)
    return id !== undefined
  }
  return {
    have: async (image) => {
      const reference = referenceOf(image)
      // What `latest` means changes; every other reference is thought to stay what it is.
      if ((await isHere(reference)) && reference.tag !== 'latest') return
      const under = pulls.get(image)
      const pull = under ?? pullWithRetries(options, reference)
      pulls.set(image, pull)
      try {
        await pull
        await isHere(reference)
      } catch (error) {
        if (reference.tag !== 'latest' || !(await isHere(reference))) throw error
      } finally {
        pulls.delete(image)
      }
    },
  }
}

function named({ repository, tag }: Reference): string {
  return tag.includes(':') ? `${repository}@${tag}` : `${repository}:${tag}`
}

const idSchema = z.object({ Id: z.string() })

/** Undefined where the image is not here. */
async function idOf(engine: Engine, reference: Reference): Promise<string | undefined> {
  const path = `/images/${encodeURIComponent(named(reference))}/json`
  const { status, body } = await engine.ask('GET', path, { expect: [400, 404] })
  return status === 200 ? idSchema.parse(body).Id : undefined
}

async function pullWithRetries(
  { engine, credentialsFor, room }: ImagesOptions,
  reference: Reference,
): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    try {
      await room.make()
      const credentials = await credentialsFor(reference.host)
      await pullOnce(engine, reference, credentials)
      return
    } catch (error) {
      const reason = whyNotPulled(error)
      if (reason !== 'ImagePullFailed' || tried === LIMITS.imagePullTries) {
        const text = `${reason}: ${named(reference)}: ${saidOf(error)}`
        throw new DockerError({ text, said: text, cause: error, next: NEXT[reason] })
      }
      await sleep(LIMITS.imagePullRetryMs * tried)
    }
  }
}

async function pullOnce(
  engine: Engine,
  reference: Reference,
  credentials: Credentials | undefined,
): Promise<void> {
  let rest = ''
  let failure: string | undefined
  const take = (line: string): void => {
    const error = errorIn(line)
    failure ??= error
  }
  await engine.follow('POST', '/images/create', {
    query: { fromImage: reference.repository, tag: reference.tag },
    headers: authHeader(reference.host, credentials),
    idleMs: LIMITS.imagePullIdleMs,
    timeoutMs: LIMITS.imagePullMs,
    onChunk: (chunk) => {
      const lines = (rest + chunk.toString('utf8')).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) take(line)
    },
  })
  take(rest)
  const said = failure ?? ((await idOf(engine, reference)) ? undefined : 'it did not arrive')
  if (said !== undefined) throw new DockerError({ text: said, said, next: 'it is pulled again' })
}

const progressSchema = z.object({ errorDetail: z.object({ message: z.string() }).optional() })

function errorIn(line: string): string | undefined {
  if (line.trim() === '') return undefined
  try {
    return progressSchema.parse(JSON.parse(line)).errorDetail?.message
  } catch {
    return undefined
  }
}

/** Docker wants base64 for URLs *with* its padding, and ignores anything else without a word. */
function authHeader(host: string, credentials: Credentials | undefined): Record<string, string> {
  if (credentials === undefined) return {}
  const json = JSON.stringify({ ...credentials, serveraddress: host })
  const text = Buffer.from(json).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
  return { 'X-Registry-Auth': text }
}

type Reason = 'ImagePullDenied' | 'ImageNotFound' | 'ImageWrong' | 'ImagePullFailed'

const NEXT: Readonly<Record<Reason, string>> = {
  ImagePullDenied: 'check that the image exists and that the node role may read its repository',
  ImageNotFound: 'check the name and the tag of the image',
  ImageWrong: 'check the name of the image, and that it is built for this processor',
  ImagePullFailed: 'the replica is started again later',
}

/** By words, as statuses differ by the engine's version. */
function whyNotPulled(error: unknown): Reason {
  const said = saidOf(error)
  if (/denied|unauthorized|no basic auth credentials|403 Forbidden/i.test(said)) {
    return 'ImagePullDenied'
  }
  if (/no matching manifest|invalid (reference|tag) format|must be lowercase/i.test(said))
    return 'ImageWrong'
  return /not found|manifest unknown|name unknown/i.test(said) ? 'ImageNotFound' : 'ImagePullFailed'
}

const saidOf = (error: unknown): string =>
  error instanceof DockerError ? (error.said ?? error.message) : String(error)
