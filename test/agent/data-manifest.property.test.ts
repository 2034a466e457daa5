import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resolve, sep } from 'node:path'
import { checkPaths, parseManifest } from '#agent/adapters/data/source.ts'
import { DataError } from '#agent/errors.ts'

const part = fc.oneof(
  fc.constantFrom('.', '..', '', 'a', 'b', 'con', '\n', '\\', ' ', '%2e%2e', '..\0', 'é', '~'),
  fc.string({ maxLength: 6 }),
)
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const sha256 = fc.oneof(
  fc.constant('ab'.repeat(32)),
  fc.string({ maxLength: 70 }),
  fc.constant('AB'.repeat(32)),
)
const object = fc.record(
  { path: fc.oneof(path, fc.anything()), size: fc.oneof(fc.nat(), fc.anything()), sha256 },
  { requiredKeys: [] },
)
const manifest = fc.oneof(
  fc.record({ objects: fc.array(object, { maxLength: 5 }) }).map((own) => JSON.stringify(own)),
  fc.json(),
  fc.string(),
)

describe('a manifest, whatever it says', () => {
  it('is refused with a word for a person, or names files of one tree alone', () => {
    fc.assert(
      fc.property(manifest, (text) => {
        try {
          for (const own of parseManifest(text)) {
            const file = resolve('/sets/x', own.path)
            expect(file.startsWith(`/sets/x${sep}`)).toBe(true)
            expect(file).toBe(`/sets/x/${own.path}`)
            expect(own.sha256).toMatch(/^[0-9a-f]{64}$/)
            expect(own.size).toBeGreaterThanOrEqual(0)
          }
        } catch (error) {
          if (!(error instanceof DataError)) throw error
          expect(error.said).toMatch(/^DataFetchFailed: /)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('takes paths that can lie beside one another, in whatever order', () => {
    const names = fc.constantFrom('a', 'b', 'c')
    const paths = fc.uniqueArray(
      fc.array(names, { minLength: 1, maxLength: 3 }).map((own) => own.join('/')),
      { minLength: 1, maxLength: 8 },
    )
    fc.assert(
      fc.property(paths, (all) => {
        const isTree = all.every((own) => !all.some((other) => other.startsWith(`${own}/`)))
        const check = (): void => {
          checkPaths(all.map((own) => ({ path: own })))
        }
        if (isTree) expect(check).not.toThrow()
        else expect(check).toThrow(/is an object and a directory/)
      }),
    )
  })
})
