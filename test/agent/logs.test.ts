/** Rotation on a real disk, and on one that has no room: `/dev/full` takes the copy's place. */
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
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

it.skipIf(!existsSync('/dev/full'))('cuts a file that there is no room to copy', async () => {
  const path = join(directory.path, 'b.log')
  writeFileSync(path, '0123456789 and more')
  symlinkSync('/dev/full', `${path}.1`)
  await expect(rotateLog(path, { ...LIMITS, keptFiles: 1 })).rejects.toThrow('ENOSPC')
  expect(readFileSync(path, 'utf8')).toBe('')
  expect(existsSync(`${path}.1`)).toBe(false)
})
