/** The real client against servers that hang, break off or talk nonsense. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { makeEc2Fleet } from '#shared/cloud/aws/ec2-fleet.ts'
import { aRequest } from '../world-kit.ts'

const SHORT_MS = 200

describe('on the wire', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  async function against(
    listener: Parameters<typeof createServer>[1],
    timeoutMs = 10_000,
  ): Promise<ReturnType<typeof makeEc2Fleet>> {
    process.env['AWS_ACCESS_KEY_ID'] = 'local'
    process.env['AWS_SECRET_ACCESS_KEY'] = 'local'
    const server = createServer(listener as never)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    const timeouts = { launchTimeoutMs: timeoutMs, callTimeoutMs: timeoutMs }
    return makeEc2Fleet({ region: 'us-east-1', endpoint, ...timeouts, attemptTimeoutMs: SHORT_MS })
  }

  it('lists all the same when a connection goes dead', async () => {
    let calls = 0
    const half = await against((_, response) => {
      calls += 1
      if (calls === 1) return
      response.writeHead(200, { 'content-type': 'text/xml' })
      response.end('<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>')
    })
    expect(await half.list('herd')).toEqual([])
    expect(calls).toBe(2)
  })

  it('gives a launch up in time, and knows that it does not know', async () => {
    let calls = 0
    const slow = await against(() => {
      calls += 1
    }, SHORT_MS)
    expect(await slow.launch(aRequest())).toMatchObject({ outcome: 'unknown' })
    // On a busy machine the time is up before the request is out.
    expect(calls).toBeLessThanOrEqual(1)
  })

  it('sends a launch once, whatever happens to it', async () => {
    let calls = 0
    const broken = await against((request) => {
      calls += 1
      request.socket.destroy()
    })
    expect(await broken.launch(aRequest())).toMatchObject({ outcome: 'unknown' })
    expect(calls).toBe(1)
  })

  it('repeats a listing whose connection broke', async () => {
    let calls = 0
    const shaky = await against((request, response) => {
      calls += 1
      if (calls === 1) request.socket.destroy()
      else response.end('<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>')
    })
    expect(await shaky.list('t')).toEqual([])
    expect(calls).toBe(2)
  })

  it('does not believe an answer it cannot parse', async () => {
    const odd = await against((_, response) => response.end('<html>a proxy was here'))
    expect(await odd.launch(aRequest())).toMatchObject({ outcome: 'unknown' })
  })

  it('ends a listing that hangs', async () => {
    const slow = await against(() => undefined, SHORT_MS)
    await expect(slow.list('t')).rejects.toThrow('FleetFailed')
    expect((await slow.terminate(['i-1'])).failed).toHaveLength(1)
  })

  it('knows that nothing was sent where nobody listens', async () => {
    const nobody = makeEc2Fleet({ region: 'us-east-1', endpoint: 'http://127.0.0.1:1' })
    expect(await nobody.launch(aRequest())).toMatchObject({ outcome: 'refused', retryable: true })
  })
})
