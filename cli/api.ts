/**
 * The admin API as the commands call it: answers parsed once, refusals as errors that say what to
 * do.
 *
 * An answer keeps its body as it came, because `--json` promises exactly the API's JSON, beside the
 * value that the schema made of it. The HTTP underneath is a port (`adapters/http.ts`).
 */
import { z } from 'zod'
import { LIMITS } from '#shared/model/limits.ts'
import { problemSchema, type Problem } from '#shared/protocol/api.ts'
import { CliError, ProblemError } from './errors.ts'

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'
export type Query = Readonly<Record<string, string | undefined>>
export type ApiRequest = {
  readonly method: Method
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
}
/** The body is parsed JSON, or the text itself where it was none. */
export type ApiResponse = { readonly status: number; readonly body: unknown }
export type Http = (request: ApiRequest) => Promise<ApiResponse>

export type Answer<T> = { readonly status: number; readonly body: unknown; readonly value: T }

export type Api = {
  call<T>(request: ApiRequest, schema: z.ZodType<T>): Promise<Answer<T>>
  get<T>(path: string, schema: z.ZodType<T>, query?: Query): Promise<Answer<T>>
  /** The object, or undefined where there is none. */
  find<T>(path: string, schema: z.ZodType<T>): Promise<Answer<T> | undefined>
  /** All pages of a list; the body is `{items}` with every item as it came. */
  list<T>(path: string, item: z.ZodType<T>, query?: Query): Promise<Answer<readonly T[]>>
}

const NOT_FOUND = 404

export function makeApi(http: Http): Api {
  const call: Api['call'] = async (request, schema) => {
    const { status, body } = await http(request)
    if (status >= 400) throw refusal(status, body)
    return { status, body, value: parsed(body, { schema, request }) }
  }
  const get: Api['get'] = (path, schema, query) =>
    call({ method: 'GET', path, ...(query === undefined ? {} : { query }) }, schema)
  return {
    call,
    get,
    find: async (path, schema) => {
      try {
        return await get(path, schema)
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },
    list: async (path, item, query) => {
      const items: unknown[] = []
      let after = query?.['after']
      for (let page = 0; page < LIMITS.cliPagesMax; page += 1) {
        const { value } = await get(path, pageSchema, { ...query, limit: PAGE, after })
        items.push(...value.items)
        if (value.next === undefined) return listAnswer(items, { item, path })
        after = value.next
      }
      throw new CliError({
        code: 'TooMany',
        text: `${path} has more than ${String(items.length)} entries`,
        next: 'narrow the question down',
      })
    },
  }
}

const PAGE = String(LIMITS.pageMaxItems)
const pageSchema = z.object({ items: z.array(z.unknown()), next: z.string().optional() })

function listAnswer<T>(
  items: readonly unknown[],
  { item, path }: { readonly item: z.ZodType<T>; readonly path: string },
): Answer<readonly T[]> {
  const request = { method: 'GET', path } as const
  return { status: 200, body: { items }, value: parsed(items, { schema: z.array(item), request }) }
}

export const isNotFound = (error: unknown): boolean =>
  error instanceof ProblemError && error.problem.status === NOT_FOUND

function parsed<T>(
  body: unknown,
  { schema, request }: { readonly schema: z.ZodType<T>; readonly request: ApiRequest },
): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  throw new CliError({
    code: 'UnknownAnswer',
    text: `${request.method} ${request.path} was answered with something that is not drover's`,
    seen: body,
    next: 'check DROVER_URL, and that the command and the server are of like versions',
    cause: result.error,
  })
}

function refusal(status: number, body: unknown): ProblemError {
  const result = problemSchema.safeParse(body)
  if (result.success) return new ProblemError(result.data, nextStep(result.data))
  const problem: Problem = {
    type: 'about:blank',
    title: `HTTP ${String(status)}`,
    status,
    code: `Http${String(status)}`,
    detail: `the server answered ${String(status)}${spoken(body)}`,
  }
  return new ProblemError(problem, nextStep(problem))
}

/** What a gateway in front of drover said, where it said anything short. */
function spoken(body: unknown): string {
  const message = z.object({ message: z.string() }).safeParse(body)
  if (message.success) return `: ${message.data.message}`
  return typeof body === 'string' && body !== '' && body.length <= 200 ? `: ${body.trim()}` : ''
}

function nextStep({ status, code }: Problem): string | undefined {
  // It says by itself what to do.
  if (code === 'ScalesItself') return undefined
  if (status === 401 || status === 403) {
    return 'check who you are (aws sts get-caller-identity) and that you may call the API'
  }
  if (status === 409 || status === 412) return 'somebody else changed it: look again, then retry'
  if (status === 429) return 'wait a moment, then retry'
  if (status >= 500) return "retry; if it stays, look into the server's log"
  return undefined
}
