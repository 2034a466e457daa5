/** Whose directory it is, and what is kept in it. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { StartError } from '#local/errors.ts'
import { forgetHerd, openStateDirectory } from '#local/state-directory.ts'

const told = { url: 'http://127.0.0.1:1' }
let directory = ''
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'drover-state-')), 'herd')
})
afterEach(() => {
  rmSync(join(directory, '..'), { recursive: true, force: true })
})

it('keeps the name and the ports of a herd', async () => {
  const first = await openStateDirectory(directory, told)
  first.release()
  const second = await openStateDirectory(directory, told)
  expect(second).toMatchObject({ cluster: first.cluster, ports: first.ports, portsMoved: false })
  expect(first.cluster).toMatch(/^local-[0-9a-f]{8}$/)
  second.release()
})

it('belongs to one drover at a time', async () => {
  const first = await openStateDirectory(directory, told)
  const second = openStateDirectory(directory, told)
  await expect(second).rejects.toThrow(StartError)
  await expect(second).rejects.toThrow(
    new RegExp(`already runs on .*herd \\(pid ${String(process.pid)}, ${told.url}\\)`),
  )
  first.release()
  const third = await openStateDirectory(directory, told)
  third.release()
})

it('is taken over from a drover that crashed', async () => {
  mkdirSync(directory)
  const dead = { pid: process.pid, startTime: 'another life', url: 'http://gone' }
  writeFileSync(join(directory, 'lock'), JSON.stringify(dead))
  const state = await openStateDirectory(directory, told)
  expect(readFileSync(join(directory, 'lock'), 'utf8')).toContain(told.url)
  state.release()
  expect(existsSync(join(directory, 'lock'))).toBe(false)
})

it('moves to other ports when a stranger sits on one', async () => {
  const first = await openStateDirectory(directory, told)
  first.release()
  const stranger = createServer()
  await new Promise<void>((resolve) => stranger.listen(first.ports.table, '127.0.0.1', resolve))
  const second = await openStateDirectory(directory, told)
  expect(second.portsMoved).toBe(true)
  expect(second.ports.table).not.toBe(first.ports.table)
  second.release()
  stranger.close()
})

it('is refused where something else is kept', async () => {
  mkdirSync(directory)
  writeFileSync(join(directory, 'thesis.tex'), '')
  await expect(openStateDirectory(directory, told)).rejects.toThrow(/holds other things/)
  const file = join(directory, 'thesis.tex')
  await expect(openStateDirectory(file, told)).rejects.toThrow(/is no directory/)
})

it('forgets the herd and leaves alone what it does not know', async () => {
  const state = await openStateDirectory(directory, told)
  for (const name of ['table.db', 'table.db-wal', 'ec2.json', 'notes.txt'])
    writeFileSync(join(directory, name), '')
  forgetHerd(directory)
  const left = ['cluster', 'table.db', 'table.db-wal', 'ec2.json', 'notes.txt', 'lock']
  expect(left.filter((name) => existsSync(join(directory, name)))).toEqual(['notes.txt', 'lock'])
  state.release()
})
