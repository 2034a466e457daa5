/**
 * The containers of an emulated instance: unlike its processes they are the engine's, and outlive
 * whatever is ended on this machine, so the engine is told.
 */
import { existsSync } from 'node:fs'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import type { Owner } from '#agent/adapters/docker/container.ts'
import { openEngine } from '#agent/adapters/docker/engine.ts'
import { removeContainers } from '#agent/adapters/docker-runtime.ts'

/** Where agents look for an engine, too. */
export function dockerSocket(): string {
  return process.env['DROVER_DOCKER_SOCKET'] ?? '/var/run/docker.sock'
}

export async function endContainers(owner: Owner, log: Logger): Promise<void> {
  const socket = dockerSocket()
  if (process.platform !== 'linux' || !existsSync(socket)) return
  try {
    await removeContainers(await openEngine(socket), owner)
  } catch (error) {
    const { instanceId } = owner
    log.error(`containers of an ended instance may still run: ${describeError(error)}`, {
      instanceId,
    })
  }
}
