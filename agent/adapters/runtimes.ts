/**
 * All the runtimes of a machine as one: a replica with an image is a container's, every other a
 * process.
 */
import type { Runtime } from '../ports.ts'
import type { Used } from '../usage.ts'
import { isContainer } from './docker-runtime.ts'

export type ClosableRuntime = Runtime & {
  /** What its replicas have used so far. */
  used(): Promise<readonly Used[]>
  close(): void
}

/** `docker` is absent on a machine without an engine: no replica with an image is started there. */
export function joinRuntimes(
  processes: ClosableRuntime,
  docker: ClosableRuntime | undefined,
): ClosableRuntime {
  if (docker === undefined) return processes
  return {
    adopt: () => [...processes.adopt(), ...docker.adopt()],
    start: (launch, ports) =>
      (launch.template.image === undefined ? processes : docker).start(launch, ports),
    signal: (target, signal) => {
      ;(isContainer(target) ? docker : processes).signal(target, signal)
    },
    onExit: (listener) => {
      processes.onExit(listener)
      docker.onExit(listener)
    },
    probe: (request) =>
      (request.launch.template.image === undefined ? processes : docker).probe(request),
    // Whose it was is forgotten by then; what is not there costs nothing to remove.
    cleanUp: async (replicaId) => {
      const done = [processes.cleanUp(replicaId), docker.cleanUp(replicaId)]
      const failed = (await Promise.allSettled(done)).find((own) => own.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    },
    used: async () => (await Promise.all([processes.used(), docker.used()])).flat(),
    close: () => {
      processes.close()
      docker.close()
    },
  }
}
