/**
 * Which ports the replicas of this machine have: all of them share its network, whatever they run
 * in, so there is one book for all runtimes.
 */
import { choosePorts } from './launch.ts'

export type PortBook = {
  /** A free port for each name, kept for the replica until it is let go. */
  choose(
    replicaId: string,
    names: readonly string[],
    before: Readonly<Record<string, number>>,
  ): Promise<Record<string, number>>
  /** The replica has these already. */
  keep(replicaId: string, ports: Readonly<Record<string, number>>): void
  letGo(replicaId: string): void
}

export function openPortBook(): PortBook {
  const taken = new Map<string, readonly number[]>()
  const keep: PortBook['keep'] = (replicaId, ports) => {
    taken.set(replicaId, Object.values(ports))
  }
  // One after the other: two who look at once would find the same port free.
  let last: Promise<unknown> = Promise.resolve()
  return {
    keep,
    choose: (replicaId, names, before) => {
      const next = last.then(async () => {
        const ports = await choosePorts(names, before, new Set([...taken.values()].flat()))
        keep(replicaId, ports)
        return ports
      })
      last = next.catch(() => undefined)
      return next
    },
    letGo: (replicaId) => {
      taken.delete(replicaId)
    },
  }
}
