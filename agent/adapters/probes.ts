/**
 * Health probes: one question, a hard end, yes or no.
 *
 * As in Kubernetes, an HTTP answer from 200 to 399 is healthy and redirects are not followed, a TCP
 * port is healthy when it accepts, a command when it exits with 0. Whatever else happens is a no.
 */
import { spawn } from 'node:child_process'
import { get } from 'node:http'
import { connect } from 'node:net'
import type { Health } from '#shared/model/workload.ts'
import { unspared } from './oom-score.ts'
import { signalGroup } from './processes.ts'

export type ProbeTarget = {
  readonly health: Health
  /** By port name: `127.0.0.1:20113`. */
  readonly addresses: Readonly<Record<string, string>>
  /** Where and with what an exec probe runs: as the replica itself does. */
  readonly cwd: string
  readonly environment: Record<string, string>
  readonly command?: readonly string[]
}

/** Never throws, and ends within the probe's timeout. */
export async function probe(target: ProbeTarget): Promise<boolean> {
  const { health } = target
  try {
    if (health.exec === undefined) return await probeNetwork(target)
    return await probeExec(target, health.timeoutSeconds * 1000)
  } catch {
    // A word too long for a path, a program that is still being written: spawn throws some at once.
    return false
  }
}

/** Asks over the network; an exec probe is a no. */
export function probeNetwork({
  health,
  addresses,
}: Pick<ProbeTarget, 'health' | 'addresses'>): Promise<boolean> {
  const timeoutMs = health.timeoutSeconds * 1000
  if (health.http !== undefined) {
    const address = addresses[health.http.port]
    if (address === undefined) return Promise.resolve(false)
    return probeHttp(`http://${address}${health.http.path}`, timeoutMs)
  }
  if (health.tcp === undefined) return Promise.resolve(false)
  return probeTcp(addresses[health.tcp.port] ?? '', timeoutMs)
}

function probeHttp(url: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const request = get(
      url,
      { agent: false, signal, headers: { 'user-agent': 'drover-probe' } },
      (response) => {
        const status = response.statusCode ?? 0
        // Only the status matters; the rest of the answer, however long, is not waited for.
        response.destroy()
        resolve(status >= 200 && status < 400)
      },
    )
    request.on('error', () => {
      resolve(false)
    })
  })
}

function probeTcp(address: string, timeoutMs: number): Promise<boolean> {
  const colon = address.lastIndexOf(':')
  if (colon < 0) return Promise.resolve(false)
  return new Promise((resolve) => {
    const socket = connect({
      host: address.slice(0, colon),
      port: Number(address.slice(colon + 1)),
      timeout: timeoutMs,
    })
    const end = (ok: boolean) => () => {
      socket.destroy()
      resolve(ok)
    }
    socket.once('connect', end(true))
    socket.once('timeout', end(false))
    socket.once('error', end(false))
  })
}

function probeExec(target: ProbeTarget, timeoutMs: number): Promise<boolean> {
  const [program, ...words] = target.command ?? []
  if (program === undefined) return Promise.resolve(false)
  return new Promise((resolve) => {
    const { cwd, environment: env } = target
    const child = unspared(() =>
      spawn(program, words, { cwd, env, stdio: 'ignore', detached: true }),
    )
    const timer = setTimeout(() => {
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
      resolve(false)
    }, timeoutMs)
    const end = (ok: boolean): void => {
      clearTimeout(timer)
      resolve(ok)
    }
    child.once('error', () => {
      end(false)
    })
    child.once('exit', (code) => {
      end(code === 0)
    })
  })
}
