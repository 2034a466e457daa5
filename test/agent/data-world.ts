/**
 * A data cache on a real disk, and a real server to fetch from.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger } from '#shared/base/log.ts'
import { dataKey, type Data } from '#shared/model/data.ts'
import {
  openDataCache,
  type ClosableCache,
  type DataCacheOptions,
} from '#agent/adapters/data/cache.ts'
import { removeDirectory } from '#agent/adapters/files.ts'
import type { CachedData } from '#agent/events.ts'
import type { FetchProgress, FetchResult } from '#agent/ports.ts'
import { manifestOf, sha256Of, startDataServer, type DataServer } from './data-server.ts'
import { temporaryDirectory } from './world.ts'

export type FetchOptions = {
  readonly digest?: string
  readonly from?: ClosableCache
  readonly told?: FetchProgress[]
}

export const TWO = { 'model.bin': randomBytes(300_000), 'index/0.txt': Buffer.from('zero') }
const HUGE = { totalBytes: 1e15, freeBytes: 1e15 }

export class DataWorld {
  readonly home = temporaryDirectory()
  readonly cache: ClosableCache
  readonly server: DataServer
  readonly #opened: ClosableCache[] = []

  constructor(server: DataServer) {
    this.server = server
    this.cache = this.openCache()
  }

  static async start(): Promise<DataWorld> {
    return new DataWorld(await startDataServer())
  }

  /** Another cache of the same directory, as an agent that comes back opens it. */
  openCache(extra: Partial<DataCacheOptions> = {}): ClosableCache {
    const own = openDataCache({
      ...{
        directory: join(this.home.path, 'data'),
        allowFiles: true,
        maxPercent: 80,
        fullPercent: 95,
      },
      ...{ s3: { region: 'us-east-1' }, log: silentLogger, tryPauseMs: 5 },
      space: () => Promise.resolve(HUGE),
      ...extra,
    })
    this.#opened.push(own)
    return own
  }

  async close(): Promise<void> {
    for (const own of this.#opened) own.close()
    await this.server.close()
    removeDirectory(this.home.path)
  }

  /** The objects, served under the name, with their manifest. */
  version(objects: Record<string, Buffer>, name = 'v1'): Data {
    const { url } = this.server
    const served = this.server.objects
    for (const [path, bytes] of Object.entries(objects)) served.set(`${name}/${path}`, bytes)
    served.set(`${name}.json`, Buffer.from(manifestOf(served, `${name}/`)))
    return { version: name, source: `${url}/${name}/`, manifest: `${url}/${name}.json` }
  }

  single(path: string): Data {
    return { version: '1', source: `${this.server.url}/${path}` }
  }

  fetch(
    data: Data,
    { digest, from = this.cache, told = [] }: FetchOptions = {},
  ): Promise<FetchResult> {
    const request = { key: dataKey(data), data, ...(digest === undefined ? {} : { digest }) }
    return from.fetch(request, (progress) => told.push(progress))
  }

  async whole(data: Data, options: FetchOptions = {}): Promise<CachedData> {
    const result = await this.fetch(data, options)
    if ('failed' in result) throw new Error(result.failed)
    return result.whole
  }

  async failure(data: Data, options: FetchOptions = {}): Promise<string> {
    const result = await this.fetch(data, options)
    return 'failed' in result ? result.failed : 'it came'
  }
}

/** Of every object under the path: where it is, and its checksum. */
export function contentOf(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true })
  const found = files
    .filter((own) => own.isFile())
    .map((own) => {
      const file = join(own.parentPath, own.name)
      return [file.slice(path.length + 1), sha256Of(readFileSync(file))] as const
    })
  return Object.fromEntries(found)
}
