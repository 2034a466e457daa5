/** Rotation on a real disk, and where the copy cannot be written. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { rotateLog } from '#agent/adapters/logs.ts'
import { temporaryDirectory } from './world.ts'

const directory = temporaryDirectory()
afterAll(directory.remove)
const LIMITS = { maxBytes: 10, keptFiles: 2 }

it('keeps the end of what a burst wrote, and the file before', async () => {
  const path = join(directory.path, 'a.log')
  writeFileSync(path, '0123456789')
  expect(await rotateLog(path, LIMITS)).toBe(false)
  for (const text of ['first: 0123456789', 'second: abcdefghij']) {
    writeFileSync(path, text)
    expect(await rotateLog(path, LIMITS)).toBe(true)
  }
  const texts = ['', '.1', '.2', '.3'].map((end) => {
    return existsSync(path + end) ? readFileSync(path + end, 'utf8') : undefined
  })
  expect(texts).toEqual(['', 'abcdefghij', '0123456789', undefined])
})

it('cuts a file that cannot be copied, and says why it could not', async () => {
  const path = join(directory.path, 'b.log')
  writeFileSync(path, '0123456789 and more')
  mkdirSync(`${path}.1/x`, { recursive: true })
  await expect(rotateLog(path, { ...LIMITS, keptFiles: 1 })).rejects.toThrow('EISDIR')
  expect(readFileSync(path, 'utf8')).toBe('')
})
