/**
 * Steady traffic: so many requests a second, each sent once and never again, and what came of them.
 */
import { Agent, request } from 'node:http'

export type Traffic = {
  readonly sent: () => number
  /** What was answered, by its text. */
  readonly answers: () => ReadonlyMap<string, number>
  /** Why requests failed, one line each. */
  readonly failures: () => readonly string[]
  /** No new requests; resolves once those on their way are answered. */
  readonly end: () => Promise<void>
}

const TIMEOUT_MS = 10_000

export function startTraffic(url: string, perSecond: number): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const answers = new Map<string, number>()
  const failures: string[] = []
  const open = new Set<Promise<void>>()
  let sent = 0
  const send = (): void => {
    sent += 1
    const one = ask(url, agent).then(
      (text) => {
        answers.set(text, (answers.get(text) ?? 0) + 1)
      },
      (error: unknown) => {
        failures.push(`request ${String(sent)}: ${String(error)}`)
      },
    )
    open.add(one)
    void one.then(() => open.delete(one))
  }
  const timer = setInterval(send, 1_000 / perSecond)
  return {
    sent: () => sent,
    answers: () => answers,
    failures: () => failures,
    end: async () => {
      clearInterval(timer)
      await Promise.all(open)
      agent.destroy()
    },
  }
}

function ask(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, timeout: TIMEOUT_MS }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (text += part))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text)
        else reject(new Error(`${String(response.statusCode)} ${text.slice(0, 200)}`))
      })
    })
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')))
    sent.on('error', reject)
    sent.end()
  })
}
