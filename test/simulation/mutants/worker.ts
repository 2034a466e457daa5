/**
 * Runs worlds in a thread whose drover is broken on purpose: the mutant's patches are applied to
 * the sources as they are loaded, so nothing of them is anywhere else.
 */
import { registerHooks } from 'node:module'
import { workerData } from 'node:worker_threads'
import { sourceOf, type Mutant, type Patch } from './mutant.ts'

const { patches } = workerData as Mutant
const applied = new Set<Patch>()

function patched(source: string, patch: Patch): string {
  const { file, replace, by } = patch
  if (source.split(replace).length !== 2) {
    throw new Error(`${file} no longer has exactly one place like this: ${replace}`)
  }
  applied.add(patch)
  return source.replace(replace, () => by)
}

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context)
    const own = patches.filter((patch) => url.endsWith(`/${sourceOf(patch)}`))
    if (own.length === 0) return loaded
    return { ...loaded, source: own.reduce(patched, String(loaded.source)) }
  },
})

await import('../worker.ts')
if (applied.size < patches.length) throw new Error('no world loads some of what it patches')
