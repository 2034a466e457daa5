/**
 * The front door: one HTTP server for the admin API and the controls.
 *
 * It is opened before anything else is started, so that a taken port is found out at once, and
 * answers 503 until there is something behind it.
 */
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { problem } from '#shared/controllers/admin-api/problem.ts'
import { StartError } from './errors.ts'

export type FrontDoor = {
  readonly url: string
  /** From now on requests go there. */
  open(answer: (request: Request) => Response | Promise<Response>): void
  /** From now on requests are told to try again. */
  shut(): void
  close(): Promise<void>
}

const HOST = '127.0.0.1'

export async function startFrontDoor(port: number): Promise<FrontDoor> {
  let answer: (request: Request) => Response | Promise<Response> = starting
  const server = createAdaptorServer({ fetch: (request: Request) => answer(request) })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(portError(port, error))
    })
    server.listen(port, HOST, resolve)
  })
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://${HOST}:${String(taken)}`,
    open: (next) => {
      answer = next
    },
    shut: () => {
      answer = starting
    },
    close: async () => {
      answer = starting
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve()
        })
      })
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    },
  }
}

function starting(): Response {
  const detail = 'drover is starting or stopping; try again'
  return problem({ status: 503, code: 'NotReady', detail, headers: { 'retry-after': '1' } })
}

function portError(port: number, error: Error): Error {
  if (!('code' in error) || error.code !== 'EADDRINUSE') return error
  const text = `port ${String(port)} is taken`
  return new StartError('PortInUse', text, 'stop what listens there, or give --port another one')
}
