/**
 * What containers have used so far, as the engine tells it.
 *
 * Each is asked by itself, one answer and no stream; one that does not answer is left out, for it
 * may have ended meanwhile. Source: Docker Engine API, ContainerStats.
 */
import { z } from 'zod'
import { LIMITS } from '#shared/model/limits.ts'
import type { Used } from '../../usage.ts'
import { factsOf, ownedBy, type Owner } from './container.ts'
import type { Engine } from './engine.ts'

export type StatsOptions = Owner & { readonly engine: Engine }

const listedSchema = z.array(
  z.object({ Id: z.string(), State: z.string(), Labels: z.record(z.string(), z.string()) }),
)

const statsSchema = z.object({
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: z.number() }) }),
  memory_stats: z.object({
    usage: z.number(),
    stats: z
      .object({ inactive_file: z.number().optional(), total_inactive_file: z.number().optional() })
      .optional(),
  }),
})

const NANOSECONDS_PER_MS = 1e6
const MIB = 2 ** 20

/** Throws DockerError where the engine does not say what it runs. */
export async function usedByContainers(options: StatsOptions): Promise<readonly Used[]> {
  const { engine } = options
  const call = { query: ownedBy(options), timeoutMs: LIMITS.usageReadMs }
  const { body } = await engine.ask('GET', '/containers/json', call)
  const running = listedSchema.parse(body).filter((own) => own.State === 'running')
  const all = running.map(async ({ Id, Labels }): Promise<Used[]> => {
    const facts = factsOf(Labels)
    if (facts === undefined) return []
    const query = { stream: 'false', 'one-shot': 'true' }
    const stats = { query, timeoutMs: LIMITS.usageReadMs }
    const answer = await engine.ask('GET', `/containers/${Id}/stats`, stats)
    const { cpu_stats: cpu, memory_stats: memory } = statsSchema.parse(answer.body)
    const { inactive_file: inactive, total_inactive_file: total } = memory.stats ?? {}
    // What the kernel could take back at once is not what the container needs.
    const bytes = Math.max(0, memory.usage - (inactive ?? total ?? 0))
    return [
      {
        ...{ replicaId: facts.replicaId, run: Id, gpus: facts.gpus },
        cpuMs: cpu.cpu_usage.total_usage / NANOSECONDS_PER_MS,
        memoryMib: bytes / MIB,
      },
    ]
  })
  const settled = await Promise.allSettled(all)
  return settled.flatMap((own) => (own.status === 'fulfilled' ? own.value : []))
}
