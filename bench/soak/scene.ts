/**
 * A soak under way: the herd that is pulled about, and what has been done to it so far.
 */
import { makeHerd, type Herd } from '#local/demo/herd.ts'
import type { Random } from '#shared/base/random.ts'
import type { HerdPlan } from './documents.ts'

/** As long as API Gateway would wait. */
const REQUEST_MS = 30_000
/** Neither an answer nor a refusal. */
export const NO_ANSWER = 0

export type Frozen = { readonly instanceId: string; readonly pid: number }
export type Place = {
  readonly instanceType: string
  readonly zone: string
  readonly capacityType: string
}

export type Scene = {
  readonly herd: Herd
  readonly random: Random
  readonly plan: HerdPlan
  /** Machines whose agent was stopped where it stood and has not been let go on. */
  readonly frozen: Frozen[]
  readonly cordoned: string[]
  /** Places where nothing is for sale, until it is again. */
  readonly short: Place[]
  /** How often each workload's template was changed. */
  readonly rounds: Map<string, number>
  /** How many requests were answered with which status; NO_ANSWER for those that were not. */
  readonly answers: Map<number, number>
  /** What was answered with a 5xx. */
  readonly faults: string[]
  /** Sends a change; answers the status. */
  send(method: 'PUT' | 'POST', path: string, body?: object): Promise<number>
}

export type SceneOptions = {
  readonly url: string
  readonly random: Random
  readonly plan: HerdPlan
}

export function makeScene({ url, random, plan }: SceneOptions): Scene {
  const answers = new Map<number, number>()
  const faults: string[] = []
  const send: Scene['send'] = async (method, path, body) => {
    const { status, text } = await request(`${url}${path}`, method, body)
    answers.set(status, (answers.get(status) ?? 0) + 1)
    if (status === NO_ANSWER || status >= 500) faults.push(`${method} ${path}: ${text}`)
    return status
  }
  return {
    herd: makeHerd(url),
    ...{ random, plan, answers, faults, send },
    frozen: [],
    cordoned: [],
    short: [],
    rounds: new Map(),
  }
}

type Answer = { readonly status: number; readonly text: string }

async function request(url: string, method: string, body: object | undefined): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(REQUEST_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, text: (await response.text()).slice(0, 300) }
  } catch (error) {
    return { status: NO_ANSWER, text: String(error) }
  }
}
