/**
 * How much of drover's memory is alive: its heap right after a collection that was asked for.
 *
 * Resident memory says what the system gave; how much of it is garbage nobody has swept yet depends
 * on V8's mood, by hundreds of MiB. So the soak asks through Node's inspector, which a signal
 * opens: no line of drover knows about it, and its other processes do not inherit it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { DroverChild } from '#local/demo/child.ts'

export type Heap = {
  /** Collects garbage, then answers what is left, buffers outside the heap included. */
  liveMib(): Promise<number>
  close(): void
}

const LISTENING = /Debugger listening on (ws:\/\/127\.0\.0\.1:\S+)/
const OPEN_MS = 10_000
const LOOK_MS = 50
const ASK_MS = 30_000
const EXPRESSION = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())'

/** Must run before drover is started: any free port will do for its inspector. */
export function allowInspector(): void {
  process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --inspect-port=0`.trim()
}

export async function openHeap(child: DroverChild): Promise<Heap> {
  process.kill(child.pid, 'SIGUSR1')
  const socket = new WebSocket(await inspectorOf(child))
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => {
      resolve()
    })
    socket.addEventListener('error', () => {
      reject(new Error("drover's inspector takes no connection"))
    })
  })
  const ask = makeAsk(socket)
  return {
    liveMib: async () => {
      await ask('HeapProfiler.collectGarbage', {})
      const answer = await ask('Runtime.evaluate', { expression: EXPRESSION })
      const bytes = (answer as { result?: { value?: unknown } }).result?.value
      if (typeof bytes !== 'number') throw new Error("drover's heap cannot be read")
      return bytes / 2 ** 20
    },
    close: () => {
      socket.close()
    },
  }
}

async function inspectorOf(child: DroverChild): Promise<string> {
  for (let waitedMs = 0; waitedMs < OPEN_MS; waitedMs += LOOK_MS) {
    const url = LISTENING.exec(child.output())?.[1]
    if (url !== undefined) return url
    await sleep(LOOK_MS)
  }
  throw new Error("drover's inspector does not open")
}

type Ask = (method: string, params: object) => Promise<unknown>

/** The inspector's protocol: a request has a number, its answer has the same. */
function makeAsk(socket: WebSocket): Ask {
  const waiting = new Map<number, (result: unknown) => void>()
  let last = 0
  socket.addEventListener('message', ({ data }) => {
    const { id = 0, result } = JSON.parse(String(data)) as { id?: number; result?: unknown }
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  return async (method, params) => {
    const id = (last += 1)
    const answered = new Promise<unknown>((resolve) => waiting.set(id, resolve))
    socket.send(JSON.stringify({ id, method, params }))
    const late = sleep(ASK_MS, undefined, { ref: false }).then(() => {
      throw new Error(`drover's inspector does not answer ${method}`)
    })
    late.catch(() => undefined)
    return Promise.race([answered, late])
  }
}
