/**
 * Lines about data: how far a node has come with it.
 */
import { must } from '#shared/base/assert.ts'
import { changeReport, documentOf, reported } from './told.ts'
import type { World } from './world.ts'

type Verb = (world: World, words: readonly string[]) => void

export const dataVerbs: Readonly<Record<string, Verb>> = {
  /** Its replicas wait for their data there. */
  fetching: (world, [node = '']) => {
    tell(world, node, { phase: 'fetching' })
  },
  /** The data of all its replicas is there, and holds that: `holds n1 digest=aa`. */
  holds: (world, [node = '', ...words]) => {
    const { digest = 'aa' } = documentOf(words)
    tell(world, node, { phase: 'running', digest: String(digest) })
  },
}

type Told = { readonly phase: 'fetching' | 'running'; readonly digest?: string }

function tell(world: World, node: string, { phase, digest }: Told): void {
  const assignment = must(
    world.assignments.find((own) => own.node === node),
    `assignment of ${node}`,
  )
  const running = assignment.replicas.filter((own) => own.order === 'run')
  const keys = [...new Set(running.flatMap((own) => own.dataKey ?? []))]
  changeReport(world, node, {
    observedGeneration: assignment.generation,
    replicas: running.map((own) => ({ ...reported(own.id, own.version, 'running'), phase })),
    data: keys.map((key) => ({
      ...{ key, fetchedBytes: 1 },
      ...(digest === undefined
        ? { state: 'fetching' as const }
        : { state: 'whole' as const, digest: digest.repeat(32) }),
    })),
  })
}
