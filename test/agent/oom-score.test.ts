import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { unspared } from '#agent/adapters/oom-score.ts'
import { temporaryDirectory } from './world.ts'

const directory = temporaryDirectory()
afterAll(directory.remove)

/** Nobody but root lowers a score, so a file stands in for the kernel's. */
function scoreOf(own: string): string {
  const file = join(directory.path, 'oom_score_adj')
  writeFileSync(file, own)
  return file
}

it('what a spared agent starts is spared no more than others', () => {
  const file = scoreOf('-900\n')
  expect(unspared(() => execFileSync('cat', [file], { encoding: 'utf8' }), file)).toBe('0')
  expect(readFileSync(file, 'utf8')).toBe('-900')
  expect(() => unspared(() => execFileSync('/no/such/program'), file)).toThrow('ENOENT')
  expect(readFileSync(file, 'utf8')).toBe('-900')
})

it('an agent that nobody spares changes nothing', () => {
  const file = scoreOf('200\n')
  expect(unspared(() => readFileSync(file, 'utf8'), file)).toBe('200\n')
  expect(unspared(() => 7, '/no/such/file')).toBe(7)
})
