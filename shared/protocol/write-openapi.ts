/**
 * Writes `openapi.json` and `docs/reference.md` at the root (`npm run openapi`); a test asserts
 * that both are current.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { buildOpenApi } from './openapi.ts'
import { buildReference } from './reference.ts'

const root = new URL('../../', import.meta.url)

/** The files this script makes, by path from the root, as they should be now. */
export function generatedFiles(): Readonly<Record<string, string>> {
  const manifest: unknown = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  const { version } = z.object({ version: z.string() }).parse(manifest)
  return {
    'openapi.json': `${JSON.stringify(buildOpenApi(version), null, 2)}\n`,
    'docs/reference.md': buildReference(),
  }
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(generatedFiles())) {
    const target = new URL(path, root)
    mkdirSync(new URL('.', target), { recursive: true })
    writeFileSync(target, text)
  }
}
