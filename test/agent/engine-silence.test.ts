import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { makeLogger, silentLogger } from '#shared/base/log.ts'
import { openEngineSilence } from '#agent/adapters/engine-silence.ts'
import { temporaryDirectory } from './world.ts'

const directory = temporaryDirectory()
afterAll(directory.remove)

it('is known to the next start of the same boot, until the engine is heard', () => {
  const path = join(directory.path, 'engine-silent')
  const opened = (bootId: string) => openEngineSilence(path, { bootId, log: silentLogger })
  expect(opened('boot-1').isKnown()).toBe(false)
  opened('boot-1').note()
  expect(opened('boot-1').isKnown()).toBe(true)
  expect(opened('boot-2').isKnown()).toBe(false)
  opened('boot-1').forget()
  expect(opened('boot-1').isKnown()).toBe(false)
})

it('that cannot be kept is said, and stops nobody', () => {
  const lines: string[] = []
  const file = join(directory.path, 'file')
  writeFileSync(file, '')
  const log = makeLogger((line) => lines.push(line))
  openEngineSilence(join(file, 'below'), { bootId: 'boot-1', log }).note()
  expect(lines.join()).toContain('cannot be kept')
})
