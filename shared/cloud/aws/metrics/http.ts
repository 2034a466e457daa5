/**
 * A number from a page: a GET that answers 200 with JSON, and a pointer to where it stands.
 *
 * The address is a tenant's, so little is granted: https to others alone, no redirect, so much of
 * an answer and no more. RFC 6901 has the pointers.
 */
import { LIMITS } from '../../../model/limits.ts'
import { asAmount, unread } from '../../metric-source.ts'
import type { MetricSourcesOptions, Reader } from './reader.ts'
import { isLoopback } from './loopback.ts'

export function makeHttpMetrics({ loopback }: MetricSourcesOptions): Reader<'http'> {
  return async ({ url, path = '' }, signal) => {
    const { protocol, hostname } = new URL(url)
    const isHere = isLoopback(hostname)
    if (isHere && loopback === undefined) {
      return unread('AddressRefused', 'this machine itself is not asked')
    }
    if (!isHere && protocol !== 'https:') {
      return unread('AddressRefused', 'only https is asked')
    }
    const response = await fetch(url, {
      signal,
      redirect: 'manual',
      headers: { accept: 'application/json', 'user-agent': 'drover' },
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      return unread('BadAnswer', `it answers ${String(response.status)}`)
    }
    const text = await textOf(response)
    if (text === undefined) {
      const most = String(LIMITS.metricAnswerMaxBytes)
      return unread('AnswerTooLarge', `it answers with more than ${most} bytes`)
    }
    const body = parsed(text)
    if (body === undefined) return unread('BadAnswer', 'it does not answer with JSON')
    return asAmount(valueAt(body.value, path), `what stands at ${path === '' ? 'its root' : path}`)
  }
}

/** All of the answer, or undefined as soon as it is too long. */
async function textOf(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > LIMITS.metricAnswerMaxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

function valueAt(body: unknown, path: string): unknown {
  const steps = path.split('/').slice(1)
  return steps.reduce<unknown>((at, step) => {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    return (at as Record<string, unknown>)[name]
  }, body)
}
