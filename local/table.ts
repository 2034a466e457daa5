/**
 * The table on a laptop: an engine that is started, watched and started again, and both tables in
 * it.
 *
 * The engine may be killed at any moment. It comes back on its old port with its old file, and
 * everybody who was talking to it tries again, as they would if DynamoDB had hiccuped. Where there
 * is no engine for the platform, a memory store stands in and nothing outlives the process.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { DynamoDBRecord } from 'aws-lambda'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { createTables } from '#shared/store/aws/tables.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import type { Store } from '#shared/store/store.ts'
import {
  engineClientConfig,
  findEngine,
  startEngine,
  stopStray,
  type Engine,
  type EngineOptions,
} from './engine/dynoxide.ts'
import { startFallback } from './engine/fallback.ts'
import { followMemory } from './engine/memory-stream.ts'
import { makeStreamsClient, startStreamPoller, type DeadBatch } from './engine/stream-poller.ts'
import { TABLES } from './laptop.ts'
import type { StateDirectory } from './state-directory.ts'

export type StreamConsumer = {
  readonly consume: (records: readonly DynamoDBRecord[]) => Promise<void>
  readonly deadLetter: (batch: DeadBatch) => void
}

export type LocalTable = {
  /** Where agents find it. */
  readonly endpoint: string
  readonly store: Store
  readonly history: Store
  /** Follows the main table's stream from now on; the result ends that. */
  follow(consumer: StreamConsumer): Promise<() => Promise<void>>
  stop(): Promise<void>
}

export type LocalTableOptions = {
  readonly state: StateDirectory
  readonly log: Logger
  readonly inMemory: boolean
}

const RESTART_PAUSE_MS = 200
const RESTART_PAUSE_MAX_MS = 5_000

/** True where the table can outlive drover. */
export const hasEngine = (): boolean => findEngine() !== undefined

export function startLocalTable(options: LocalTableOptions): Promise<LocalTable> {
  const binary = options.inMemory ? undefined : findEngine()
  return binary === undefined ? startInMemory(options) : startOnEngine(options, binary)
}

async function startOnEngine(
  { state, log }: LocalTableOptions,
  binary: string,
): Promise<LocalTable> {
  const { database: dbPath, enginePid: pidFile } = state.files
  if (await stopStray(pidFile)) log.info('the engine of an earlier run was ended')
  const watched = await keepRunning({ binary, port: state.ports.table, dbPath, pidFile }, log)
  const { endpoint } = watched
  const admin = new DynamoDBClient(engineClientConfig(endpoint))
  const streams = makeStreamsClient(endpoint)
  const stop = async (): Promise<void> => {
    admin.destroy()
    streams.destroy()
    await watched.stop()
  }
  try {
    await createTables(admin, TABLES)
  } catch (error) {
    await stop()
    throw error
  }
  const storeOf = (tableName: string): Store =>
    makeDynamoStore({ client: engineClientConfig(endpoint), tableName, log })
  return {
    endpoint,
    store: storeOf(TABLES.main),
    history: storeOf(TABLES.history),
    follow: async (consumer) => {
      const place = { client: streams, tableName: TABLES.main, from: 'LATEST' } as const
      const poller = await startStreamPoller({ ...place, ...consumer, log })
      return () => poller.stop()
    },
    stop,
  }
}

/** Starts the engine, and starts it again whenever it ends by itself. */
async function keepRunning(
  options: EngineOptions,
  log: Logger,
): Promise<{ endpoint: string; stop(): Promise<void> }> {
  let engine: Engine = await startEngine(options)
  const { endpoint } = engine
  const stopping = new AbortController()
  const again = async (): Promise<Engine | undefined> => {
    for (let pauseMs = RESTART_PAUSE_MS; !stopping.signal.aborted; pauseMs *= 2) {
      try {
        return await startEngine(options)
      } catch (error) {
        log.error('the engine does not come back', { error: describeError(error) })
        const waitMs = Math.min(pauseMs, RESTART_PAUSE_MAX_MS)
        await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      }
    }
    return undefined
  }
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await engine.exited
      // Read anew: it may have been set while this waited.
      if ((stopping.signal as { aborted: boolean }).aborted) return
      log.warn('the engine ended by itself and is started again', { pid: engine.pid })
      const next = await again()
      if (next === undefined) return
      engine = next
    }
  }
  const watching = watch()
  return {
    endpoint,
    stop: async () => {
      stopping.abort()
      await engine.stop()
      await watching
      // One that was just being started when this began.
      await engine.stop()
    },
  }
}

async function startInMemory({ state, log }: LocalTableOptions): Promise<LocalTable> {
  const store = makeMemoryStore()
  const tableName = TABLES.main
  const server = await startFallback({ store, tableName, port: state.ports.table, log })
  return {
    endpoint: server.endpoint,
    store,
    history: makeMemoryStore(),
    follow: (consumer) => Promise.resolve(followMemory(store, { ...consumer, log })),
    stop: () => server.stop(),
  }
}
