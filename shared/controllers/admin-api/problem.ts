/**
 * Everything that is not a plain answer: one problem document (RFC 9457) with a stable code.
 *
 * A problem is a return value, not an exception: what a client got wrong is expected here.
 */
import type { Problem, ProblemFault } from '#shared/protocol/api.ts'

const TITLES = {
  400: 'Bad request',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  412: 'Precondition failed',
  413: 'Content too large',
  415: 'Unsupported media type',
  422: 'Not valid',
  500: 'Internal error',
  503: 'Unavailable',
} as const

export type ProblemFacts = {
  status: keyof typeof TITLES
  code: string
  detail: string
  errors?: readonly ProblemFault[]
  headers?: Readonly<Record<string, string>>
}

export function problem({ status, code, detail, errors, headers }: ProblemFacts): Response {
  const body: Problem = {
    type: `urn:drover:problem:${code}`,
    title: TITLES[status],
    status,
    detail,
    code,
    ...(errors === undefined ? {} : { errors: [...errors] }),
  }
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  })
}

export function notFound(what: string): Response {
  return problem({ status: 404, code: 'NotFound', detail: `there is no ${what}` })
}

/** A body that does not validate: each fault with its path. */
export function invalid(faults: readonly ProblemFault[], code = 'Invalid'): Response {
  const first = faults[0]
  const where = first === undefined || first.path === '' ? '' : `${first.path}: `
  const more = faults.length > 1 ? ` (and ${String(faults.length - 1)} more)` : ''
  const detail = `${where}${first?.message ?? 'does not validate'}${more}`
  return problem({ status: 422, code, detail, errors: faults })
}
