/**
 * A person at a terminal in front of the real admin API over a memory store, served on a real port.
 *
 * The transcript is what they would see: standard output as it is, standard error after `! `, and
 * the exit code. The clock is fixed; sleeping moves it and lets the test change the world
 * meanwhile.
 */
import { serve } from '@hono/node-server'
import type { AddressInfo } from 'node:net'
import { silentLogger } from '#shared/base/log.ts'
import { makeCountingIds } from '#shared/cloud/counting-ids.ts'
import { makeAdminApi } from '#shared/controllers/admin-api/app.ts'
import type { CostAnswer, PlanAnswer, RepackAnswer } from '#shared/protocol/api.ts'
import type { Item } from '#shared/store/store.ts'
import { makeMemoryStore, type MemoryStore } from '#shared/store/memory-store.ts'
import { makeContext } from '#cli/context.ts'
import { runProgram } from '#cli/program.ts'
import { COMMANDS } from '#cli/registry.ts'

export const NOW_MS = Date.UTC(2026, 10, 22, 10, 0, 0)

export type Sleep = (nowMs: number, count: number, interrupt: () => void) => Promise<void> | void
export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly tty?: { readonly columns: number }
  readonly fetch?: typeof fetch
  /** Stands for Ctrl-C where no sleep is at hand. */
  readonly interruption?: AbortController
  /** Called in every sleep, after the clock has moved. */
  readonly onSleep?: Sleep
}

/** Runs `drover` with these words against `url` and gives the transcript. */
export async function drover(
  words: readonly string[],
  url: string,
  options: RunOptions = {},
): Promise<string> {
  let nowMs = NOW_MS
  let slept = 0
  let transcript = ''
  const interruption = options.interruption ?? new AbortController()
  const terminal = (
    prefix: string,
  ): { write(text: string): void; isTty: boolean; columns: number } => ({
    write: (text) => {
      transcript += prefix === '' ? text : text.replace(/^(?=.)/gm, prefix)
    },
    isTty: options.tty !== undefined,
    columns: options.tty?.columns ?? 80,
  })
  const code = await runProgram(
    words,
    {
      env: { DROVER_URL: url, ...options.env },
      out: terminal(''),
      err: terminal('! '),
      clock: {
        now: () => nowMs,
        sleep: async (ms) => {
          nowMs += ms
          slept += 1
          if (slept > 500) throw new Error('the command sleeps for ever')
          await options.onSleep?.(nowMs, slept, () => {
            interruption.abort()
          })
        },
      },
      fetch: options.fetch ?? fetch,
      readInput: () => Promise.resolve(options.input ?? ''),
      interrupted: interruption.signal,
    },
    { commands: COMMANDS, version: '0.1.0', makeContext },
  )
  const shown = transcript
    .replaceAll(url, 'http://drover.test')
    .replaceAll('\u001b', '␛')
    // A version is a hash over the whole template: any new field of the model would change it.
    .replace(/(?<!\.)\b[0-9a-f]{12}\b/g, 'a-version-id')
  return `${shown}[exit ${String(code)}]`
}

export type Api = {
  readonly url: string
  readonly store: MemoryStore
  readonly history: MemoryStore
  readonly planned: unknown[]
  put(...items: readonly Item[]): Promise<void>
  close(): Promise<void>
}

export type ApiAnswers = {
  readonly plan?: PlanAnswer
  readonly cost?: CostAnswer
  readonly repack?: RepackAnswer
}

/** The admin API on a port of its own. */
export async function startApi(answers: ApiAnswers = {}): Promise<Api> {
  const clock = { now: () => NOW_MS }
  const [store, history] = [makeMemoryStore({ clock }), makeMemoryStore({ clock })]
  const planned: unknown[] = []
  const app = makeAdminApi({
    store,
    history,
    clock,
    ids: makeCountingIds(),
    log: silentLogger,
    version: '0.1.0',
    planner: (documents) => {
      planned.push(documents.map(({ noun, name }) => `${noun}/${name}`))
      return Promise.resolve(
        answers.plan ?? { actions: [], costUsdPerHour: NO_COST, unschedulable: [] },
      )
    },
    cost: () => Promise.resolve(answers.cost ?? NOTHING_BOUGHT),
    repack: () => Promise.resolve(answers.repack ?? { at: null, groups: [], refused: [] }),
  })
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  await new Promise<void>((resolve) => {
    server.once('listening', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${String(port)}`,
    store,
    history,
    planned,
    put: async (...items) => {
      for (const item of items) await store.write({ kind: 'put', item })
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        if ('closeAllConnections' in server) server.closeAllConnections()
      }),
  }
}

const NO_COST = {
  now: 0,
  after: 0,
  bound: null,
  fleet: null,
  gap: null,
  ...{ leaving: 0, quarantined: 0, headroom: 0, testing: 0, surge: 0 },
}
const NOTHING_BOUGHT: CostAnswer = {
  costUsdPerHour: 0,
  ...{ boundUsdPerHour: null, boundAt: null, fleetUsdPerHour: null, gap: null },
  ...{ onDemandUsdPerHour: 0, leavingUsdPerHour: 0, quarantinedUsdPerHour: 0 },
  ...{ headroomUsdPerHour: 0, testingUsdPerHour: 0, surgeUsdPerHour: 0 },
  pools: [],
}
