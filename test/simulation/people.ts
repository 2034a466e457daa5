/**
 * People and CI: whoever talks to the admin API, through its front door.
 *
 * Each request is an invocation of the real API. Somebody who gets no answer, or hears that the
 * table could not be reached, tries again a few times, as the command does.
 */
import { silentLogger } from '#shared/base/log.ts'
import { makeCountingIds } from '#shared/cloud/counting-ids.ts'
import { makeAdminApi } from '#shared/controllers/admin-api/app.ts'
import { makeForesight } from '#shared/controllers/foresight.ts'
import type { SnapshotSettings } from '#shared/store/snapshot.ts'
import type { Chance } from './chance.ts'
import type { Invocations } from './invocations.ts'
import { LOOKING } from './looking.ts'
import type { Ports } from './ports.ts'
import type { Scheduler } from './scheduler.ts'

export type ApiRequest = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: unknown
}

export type People = {
  /** Sends it, and again while it is not answered; `then` hears the status, 0 for none ever. */
  ask(request: ApiRequest, then?: (status: number) => void): void
  /** Something was asked for and is not answered yet. */
  isAsking(): boolean
  /** Runs it now, or as soon as all that was asked for is answered. */
  onceAnswered(then: () => void): void
}

export type PeopleSetup = {
  readonly scheduler: Scheduler
  readonly invocations: Invocations
  readonly chance: Chance
  readonly settings: SnapshotSettings
}

const TRIES = 6
const TIMEOUT_MS = 30_000

export function makePeople(setup: PeopleSetup): People {
  const { scheduler, invocations, chance } = setup
  const ids = makeCountingIds()
  let requests = 0
  const ask = (request: ApiRequest, tries: number, then: (status: number) => void): void => {
    let status = 0
    invocations.run({
      ...{ role: 'admin-api', timeoutMs: TIMEOUT_MS },
      work: async (ports) => {
        const answer = await apiOf(ports, setup, ids).fetch(httpOf(request))
        status = answer.status
      },
      onEnd: () => {
        const isUnanswered = status === 0 || status >= 500 || status === 409
        if (!isUnanswered || tries >= TRIES) {
          then(isUnanswered ? 0 : status)
          return
        }
        requests += 1
        const pauseMs = chance.int(`ask again ${String(requests)}`, { min: 500, max: 90_000 })
        scheduler.at(scheduler.now() + pauseMs, () => {
          ask(request, tries + 1, then)
        })
      },
    })
  }
  let open = 0
  const waiting: (() => void)[] = []
  return {
    ask: (request, then = () => undefined) => {
      open += 1
      ask(request, 1, (status) => {
        open -= 1
        then(status)
        if (open === 0) for (const next of waiting.splice(0)) next()
      })
    },
    isAsking: () => open > 0,
    onceAnswered: (then) => {
      if (open === 0) then()
      else waiting.push(then)
    },
  }
}

function apiOf(
  { store, history, clock }: Ports,
  { settings }: PeopleSetup,
  ids: ReturnType<typeof makeCountingIds>,
): ReturnType<typeof makeAdminApi> {
  const log = silentLogger
  const { planner, cost, repack } = makeForesight({ store, clock, settings, log, ...LOOKING })
  return makeAdminApi({
    ...{ store, history, clock, ids, log },
    planner,
    cost,
    repack,
    version: '0.0.0',
  })
}

function httpOf({ method, path, body }: ApiRequest): Request {
  return new Request(`http://drover.test${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
}
