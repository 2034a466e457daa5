/**
 * Turns TypeScript entry points into files that run anywhere Node 24 does.
 *
 * esbuild is called directly, so a synth needs neither Docker nor a network. The SDK goes into the
 * bundle: the version that was tested is the version that runs. Names and line breaks are kept, for
 * a stack trace that can be read at night is worth more than a smaller file.
 */
import { buildSync } from 'esbuild'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUTPUT = join(ROOT, 'node_modules', '.cache', 'drover-bundles')

/** Some packages in the bundle are CommonJS and ask for Node's own modules by `require`. */
const REQUIRE_BANNER = [
  "import { createRequire as droverRequire } from 'node:module'",
  'const require = droverRequire(import.meta.url)',
].join('\n')

/** Files that packages open by their own name beside their own, and what resolves to each. */
const BESIDE: Readonly<Record<string, string>> = { 'highs.wasm': 'highs/runtime' }

/**
 * Bundles a Lambda; answers the folder that holds `index.mjs` and what that opens beside itself.
 */
export function bundleFunction(name: string): string {
  const directory = freshDirectory(name)
  const entry = join(directory, 'index.mjs')
  bundle(`functions/${name}.ts`, entry)
  const code = readFileSync(entry, 'utf8')
  for (const [file, source] of Object.entries(BESIDE)) {
    if (!code.includes(`new URL("${file}"`)) continue
    copyFileSync(fileURLToPath(import.meta.resolve(source)), join(directory, file))
  }
  return directory
}

/** The agent's file inside its folder. */
export const AGENT_ENTRY = 'agent/main.mjs'

/**
 * Files that the agent starts by their own name beside its own: a worker cannot be bundled into it.
 */
const AGENT_WORKERS = ['cpu-worker.ts', 'memory-worker.ts'].map(
  (name) => `agent/adapters/checks/${name}`,
)

/**
 * Bundles the agent; answers a folder laid out as the repository is where the agent looks: its
 * version in `package.json` above it, its workers beside it under the names it knows them by.
 */
export function bundleAgent(): string {
  const directory = freshDirectory('agent')
  bundle('agent/main.ts', join(directory, AGENT_ENTRY))
  for (const worker of AGENT_WORKERS) bundle(worker, join(directory, 'agent', basename(worker)))
  const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    name: string
    version: string
  }
  const manifest = `${JSON.stringify({ name, version, type: 'module' })}\n`
  writeFileSync(join(directory, 'package.json'), manifest)
  return directory
}

/**
 * Bundles `entry`, a path from the repository's root; throws esbuild's own error, with the line.
 */
function bundle(entry: string, outfile: string): void {
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: { js: REQUIRE_BANNER },
    logLevel: 'error',
  })
}

function freshDirectory(name: string): string {
  const directory = join(OUTPUT, name)
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  return directory
}
