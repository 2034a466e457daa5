/**
 * Drives the admin API with autocannon and keeps the books by route.
 *
 * Every connection sends one request after the other, in an order of its own drawn from the seed,
 * and waits for each answer: so the rate is what the API can bear, and each route gets its share.
 * Autocannon knows one latency for all; it hands each answer first to its request's `onResponse`
 * and then, in the same turn, to the tracker with the time it took: so the two are put together.
 */
import autocannon from 'autocannon'
import type { Random } from '#shared/base/random.ts'
import type { Route } from './routes.ts'

export type DriveOptions = {
  readonly url: string
  readonly seconds: number
  readonly connections: number
  readonly routes: readonly Route[]
  readonly random: Random
}

export type Book = {
  readonly tookMs: number[]
  /** Answers that were not 2xx, by status. */
  readonly refused: Map<number, number>
}

export type Driven = {
  readonly seconds: number
  readonly books: ReadonlyMap<string, Book>
  /** Requests that got no answer: connections that broke, and those that took too long. */
  readonly broken: number
  readonly timeouts: number
}

/** As long as API Gateway would wait. */
const TIMEOUT_SECONDS = 30
/** A server that is gone refuses connections as fast as they come. */
const ERRORS_MAX = 1_000
/** Rounds of all routes that a connection goes through before it starts over. */
const ROUNDS = 8

export async function drive(options: DriveOptions): Promise<Driven> {
  const { url, seconds, connections, routes, random } = options
  const books = new Map<string, Book>(
    routes.map(({ name }) => [name, { tookMs: [], refused: new Map() }]),
  )
  let answered: Book | undefined
  const requestsInOrder = (): autocannon.Request[] =>
    roundsOf(routes, random).map((route) =>
      requestOf(route, () => {
        answered = books.get(route.name)
      }),
    )
  const onResponse = (status: number, tookMs: number): void => {
    if (answered === undefined) throw new Error('an answer to no request')
    answered.tookMs.push(tookMs)
    if (status < 200 || status > 299)
      answered.refused.set(status, (answered.refused.get(status) ?? 0) + 1)
    answered = undefined
  }
  const result = await run(
    {
      ...{ url, connections, duration: seconds, timeout: TIMEOUT_SECONDS, bailout: ERRORS_MAX },
      headers: { 'content-type': 'application/json' },
      setupClient: (client) => {
        client.setRequests(requestsInOrder())
      },
    },
    onResponse,
  )
  return {
    ...{ seconds: result.duration, books },
    broken: result.errors - result.timeouts,
    timeouts: result.timeouts,
  }
}

function run(
  options: autocannon.Options,
  onResponse: (status: number, tookMs: number) => void,
): Promise<autocannon.Result> {
  return new Promise((resolve, reject) => {
    const running = autocannon(options, (error: unknown, result) => {
      if (error === null || error === undefined) resolve(result)
      else reject(new Error('the load could not be driven', { cause: error }))
    })
    running.on('response', (...[, status, , tookMs]) => {
      onResponse(status, tookMs)
    })
  })
}

/** Each round has every route as often as its weight says, in an order of its own. */
function roundsOf(routes: readonly Route[], random: Random): readonly Route[] {
  const round = routes.flatMap((route) => Array.from({ length: route.weight }, () => route))
  return Array.from({ length: ROUNDS }, () => shuffled(round, random)).flat()
}

function shuffled<T>(items: readonly T[], random: Random): readonly T[] {
  return items
    .map((item) => ({ item, key: random.next() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item)
}

/** Numbers are counted per route over all connections, so that no two writes are the same. */
const sent = new WeakMap<Route, number>()

function requestOf(route: Route, onAnswer: () => void): autocannon.Request {
  return {
    method: route.method,
    setupRequest: (request) => {
      const nth = sent.get(route) ?? 0
      sent.set(route, nth + 1)
      const { path, body } = route.make(nth)
      return { ...request, path, body: body === undefined ? undefined : JSON.stringify(body) }
    },
    onResponse: onAnswer,
  }
}
