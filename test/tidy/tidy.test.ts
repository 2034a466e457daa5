/**
 * Holds the whole tree against the rules of style, and says of each fault how to mend it.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { readSources } from './files.ts'
import { bannedCallFaults } from './rules/banned-calls.ts'
import {
  anyFaults,
  barrelFaults,
  defaultExportFaults,
  enumFaults,
  fileNameFaults,
  openingFaults,
} from './rules/forms.ts'
import { importFaults } from './rules/imports.ts'
import { narrowedTestFaults, noteFaults, privatePathFaults } from './rules/leftovers.ts'
import { fileLengthFaults, lineLengthFaults } from './rules/lengths.ts'
import { unusedFileFaults } from './rules/unused.ts'
import { describeFault, type Rule, type Source } from './source.ts'

const rules: Readonly<Record<string, Rule>> = {
  'imports point the way DESIGN allows': importFaults,
  'time, chance and the environment are handed in': bannedCallFaults,
  'lines are 100 columns at most': lineLengthFaults,
  'files are 500 lines at most': fileLengthFaults,
  'exports have names': defaultExportFaults,
  'there is no enum': enumFaults,
  'there is no any': anyFaults,
  'there is no barrel': barrelFaults,
  'files are named after nouns, in kebab-case': fileNameFaults,
  'files open with a paragraph': openingFaults,
  'no notes to oneself are left': noteFaults,
  'no path of one machine is named': privatePathFaults,
  'no test is narrowed, or silenced without a reason': narrowedTestFaults,
}

describe('the tree is tidy', () => {
  let sources: readonly Source[] = []
  beforeAll(() => {
    sources = readSources()
  })

  it('finds the tree', () => {
    expect(sources.map((own) => own.path)).toContain('shared/base/assert.ts')
  })

  it.each(Object.entries(rules))('%s', (_, rule) => {
    expect(sources.flatMap(rule).map(describeFault).join('\n')).toBe('')
  })

  it('every file is used', () => {
    expect(unusedFileFaults(sources).map(describeFault).join('\n')).toBe('')
  })
})
