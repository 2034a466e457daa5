/**
 * The `network` check: names resolve, and the table's endpoint and whatever else the suite names
 * accept a connection. What cannot be reached is INFRA: a route or a security group is more often
 * at fault than the machine.
 */
import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import type { CheckOf } from '#shared/model/burn-in.ts'
import { couldNot, found, type Finding } from '../../checks/finding.ts'

/** Never throws. `endpoint` is `host:port` of the table. */
export async function checkNetwork(spec: CheckOf<'network'>, endpoint: string): Promise<Finding> {
  const measures = { dnsMs: 0, connectMs: 0 }
  const timeoutMs = (spec.timeoutSeconds * 1000) / (spec.reach.length + 1)
  try {
    for (const target of new Set([endpoint, ...spec.reach])) {
      const { dnsMs, connectMs } = await reach(target, timeoutMs)
      measures.dnsMs = Math.max(measures.dnsMs, dnsMs)
      measures.connectMs = Math.max(measures.connectMs, connectMs)
    }
    return found('PASS', '', measures)
  } catch (error) {
    return couldNot(error, measures)
  }
}

async function reach(
  target: string,
  timeoutMs: number,
): Promise<Record<'dnsMs' | 'connectMs', number>> {
  const colon = target.lastIndexOf(':')
  const [host, port] = [target.slice(0, colon), Number(target.slice(colon + 1))]
  const startMs = performance.now()
  const { address } = await lookup(host)
  const knownMs = performance.now()
  await accept({ host: address, port, timeoutMs, target })
  const dnsMs = Math.round(knownMs - startMs)
  return { dnsMs, connectMs: Math.round(performance.now() - knownMs) }
}

type Target = { host: string; port: number; timeoutMs: number; target: string }

function accept({ host, port, timeoutMs, target }: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: timeoutMs }, () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
    socket.once('timeout', () => {
      socket.destroy()
      reject(new Error(`${target} did not answer within ${String(Math.round(timeoutMs))} ms`))
    })
  })
}
