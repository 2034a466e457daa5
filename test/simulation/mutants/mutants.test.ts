import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { sourceOf } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import seeds from './seeds.json' with { type: 'json' }

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

it.each(MUTANTS)('$name still fits the code', ({ patches }) => {
  for (const patch of patches) {
    const source = readFileSync(join(ROOT, sourceOf(patch)), 'utf8')
    expect(source.split(patch.replace), sourceOf(patch)).toHaveLength(2)
  }
})

it('remembers seeds of mutants that there are', () => {
  const names = new Set(MUTANTS.map(({ name }) => name))
  expect(Object.keys(seeds).filter((own) => !names.has(own))).toEqual([])
})
