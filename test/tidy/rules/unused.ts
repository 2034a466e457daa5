/**
 * A file that nothing imports and nobody starts is dead, and dead code is read for years.
 */
import { isTest, type Fault, type Source } from '../source.ts'
import { importedPaths } from './imports.ts'

/** What is started and not imported. Files that package.json names are entry points too. */
export const ENTRY_POINTS: readonly RegExp[] = [
  /^functions\/[^/]+\.ts$/,
  /^(local|cli|agent)\/main\.ts$/,
  /^infra\/app\.ts$/,
  /^local\/burn-in-here\.ts$/,
  // Programs of emulated machines.
  /^local\/emulated-gpus\/(nvidia-smi|dcgmi)\.ts$/,
  /^bench\/[^/]+\.ts$/,
  /^test\/.*\.test\.ts$/,
  /^test\/engines\/setup\.ts$/,
  /^test\/agent\/data-fetcher\.ts$/,
  // Threads are started by their address.
  /^test\/simulation\/(mutants\/|crashes\/)?worker\.ts$/,
  /^bench\/repack\/worker\.ts$/,
]

const CHECKED = /^(shared|functions|agent|cli|console|local|infra|test|bench)\/.*\.ts$/

/** Looks at the whole tree, for only the whole tree knows. */
export function unusedFileFaults(sources: readonly Source[]): readonly Fault[] {
  const checked = sources.filter((own) => CHECKED.test(own.path))
  const imported = new Set(checked.flatMap(importedPaths))
  const started = startedPaths(sources)
  return checked
    .filter(({ path }) => !imported.has(path) && !started.has(path) && !isEntryPoint(path))
    .map(({ path }) => ({
      path,
      line: 1,
      text: 'nothing imports it',
      mend: 'delete it, or name it in ENTRY_POINTS of test/tidy/rules/unused.ts',
    }))
}

function isEntryPoint(path: string): boolean {
  return isTest(path) || ENTRY_POINTS.some((own) => own.test(path))
}

/** Paths in package.json: its scripts and its bin. */
function startedPaths(sources: readonly Source[]): ReadonlySet<string> {
  const text = sources.find((own) => own.path === 'package.json')?.text ?? ''
  return new Set(text.match(/[\w./-]+\.ts\b/g) ?? [])
}
