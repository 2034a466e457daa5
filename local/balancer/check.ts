/**
 * One health check of one target: does its port take connections, or does a path answer 200?
 */
import { get } from 'node:http'
import { connect } from 'node:net'
import type { Place } from './exchange.ts'

/** A process on the same machine answers in a millisecond or two, if it does. */
const CHECK_MS = 1_000

/** With a path a GET must be answered 200, as an ALB has it; otherwise a connection will do. */
export function check(place: Place, path: string | undefined): Promise<boolean> {
  return path === undefined ? takesConnections(place) : answersOk(place, path)
}

function takesConnections(place: Place): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...place, timeout: CHECK_MS })
    const done = (isGood: boolean) => () => {
      socket.destroy()
      resolve(isGood)
    }
    socket.once('connect', done(true))
    socket.once('timeout', done(false))
    socket.once('error', done(false))
  })
}

function answersOk(place: Place, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(CHECK_MS)
    const request = get({ ...place, path, agent: false, signal }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
      request.destroy()
    })
    request.once('error', () => {
      resolve(false)
    })
  })
}
