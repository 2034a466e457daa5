/** One object with a source of our own making, for what no server can see. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { download } from '#agent/adapters/data/download.ts'
import type { Source } from '#agent/adapters/data/source.ts'
import { openStore } from '#agent/adapters/data/store.ts'
import { sha256Of } from './data-server.ts'
import { temporaryDirectory } from './world.ts'

const directory = temporaryDirectory()
afterAll(directory.remove)

it('reads what came before a cut before it asks for more', async () => {
  const content = randomBytes(1_000)
  const [key, path, sha256] = ['version', 'model.bin', sha256Of(content)]
  const store = openStore(join(directory.path, 'data'), silentLogger)
  const asked: number[] = []
  const source: Pick<Source, 'open'> = {
    open: (_, { fromByte }) => {
      asked.push(fromByte)
      // Who read the first part only now would not find it.
      if (fromByte > 0) writeFileSync(store.partialFile(key, path), randomBytes(fromByte))
      const cut = function* () {
        yield content.subarray(fromByte, fromByte + 600)
        if (fromByte === 0) throw new Error('cut')
      }
      return Promise.resolve({ body: Readable.from(cut()), fromByte, size: content.length })
    },
  }
  const done = await download({
    ...{ key, object: { path, size: content.length, sha256 }, source: source as Source, store },
    ...{ signal: new AbortController().signal, idleMs: 5_000, tryPauseMs: 1 },
    onBytes: () => undefined,
    onFresh: () => undefined,
    checkSpace: () => Promise.resolve(),
  })
  expect(asked).toEqual([0, 600])
  expect(done.sha256).toBe(sha256)
})
