import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { AGENT_ENTRY, bundleAgent, bundleFunction } from '#infra/bundle.ts'

const run = promisify(execFile)
const root = new URL('../../', import.meta.url)
const functions = readdirSync(new URL('functions/', root)).map((file) => file.replace(/\.ts$/, ''))

/** What a bundle still asks for by name when it runs. */
function importsOf(code: string): string[] {
  const statements = [...code.matchAll(/^(?:import|export)\b[^'"\n]*? from ["']([^"']+)["']/gm)]
  return statements.flatMap(([, name]) => name ?? [])
}

describe('the bundle', () => {
  test.each(functions)('of %s holds all it needs but Node, and a handler', async (name) => {
    const file = join(bundleFunction(name), 'index.mjs')
    const foreign = importsOf(readFileSync(file, 'utf8')).filter(
      (own) => !/^(node:)?[a-z_/0-9]+$/.test(own),
    )
    expect(foreign).toEqual([])
    for (const [, beside] of readFileSync(file, 'utf8').matchAll(/new URL\("([\w.]+)", ?import/g)) {
      expect(existsSync(join(dirname(file), beside!)), beside).toBe(true)
    }
    const loaded = (await import(pathToFileURL(file).href)) as { handler: unknown }
    expect(loaded.handler).toBeTypeOf('function')
  })

  test('of the agent starts, and finds its version and its workers', async () => {
    const directory = bundleAgent()
    const entry = join(directory, AGENT_ENTRY)
    const failure = await run(process.execPath, [entry], { env: {}, timeout: 10_000 }).catch(
      (error: unknown) => error as { stdout: string; stderr: string; code: number },
    )
    expect(failure).toMatchObject({ code: expect.any(Number) as number })
    expect(`${failure.stdout}${failure.stderr}`).toContain('DROVER_TABLE: is not set')

    const beside = [...readFileSync(entry, 'utf8').matchAll(/new URL\("(\.[^"]+)", import\.meta/g)]
    expect(beside.length).toBeGreaterThan(0)
    for (const [, path] of beside) {
      expect(existsSync(join(directory, 'agent', path!)), path).toBe(true)
    }
  })
})
