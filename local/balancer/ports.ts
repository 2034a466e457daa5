/**
 * Where the proxy of a target group listens: on the port that a person asks for, or else on one
 * that follows from the group's name, so that it is the same after a restart.
 *
 * Those ports lie below the ones that a state directory, replicas and outgoing connections take.
 */
import { createHash } from 'node:crypto'

const FIRST = 12_000
const LAST = 13_999
const TRIES = 100
const PORT_MAX = 65_535

/** In the order in which to try them. An ARN that ends in `/8080` asks for 8080 and no other. */
export function portsFor(targetGroupArn: string): readonly number[] {
  const last = targetGroupArn.split('/').at(-1) ?? ''
  const asked = /^[1-9]\d*$/.test(last) ? Number(last) : undefined
  if (asked !== undefined && asked <= PORT_MAX) return [asked]
  const span = LAST - FIRST + 1
  const start = createHash('sha256').update(targetGroupArn).digest().readUInt32BE(0)
  return Array.from({ length: TRIES }, (_, i) => FIRST + ((start + i) % span))
}
