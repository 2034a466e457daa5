/**
 * A web service under steady traffic, while its data is rolled out every twenty seconds, spot
 * machines are taken away and its count changes: no request fails, it is never below what it needs,
 * and the last version arrives. Then a version that fails its probe stops by itself.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { runCommand, startChild, type DroverChild } from '#local/demo/child.ts'
import { makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { workloadObjectSchema } from '#shared/protocol/api.ts'
import { settled, sweepDirectory, temporaryDirectory } from './kit.ts'
import { startTraffic } from './traffic.ts'

const REPLICAS = 30
const ROLLS = 10
const ROLL_EVERY_MS = 20_000
const INTERRUPT_EVERY_MS = 15_000
const NOTICE_SECONDS = 30
const REQUESTS_PER_SECOND = 40
/** Changes of the count, one before every other roll. */
const COUNTS = [32, 28, 33, 30, 30]
const MIN_AVAILABLE = 0.8
/** A tenth of them, and three at least. */
const BREAKER = 3
const HEALTHY_DEADLINE_SECONDS = 15

let directory = ''
let child: DroverChild
let herd: Herd

beforeAll(async () => {
  directory = temporaryDirectory('traffic')
  mkdirSync(join(directory, 'data'))
  writeFileSync(join(directory, 'serve.mjs'), PROGRAM)
  child = await startChild({ stateDirectory: join(directory, 'state') })
  herd = makeHerd(child.url)
})
afterAll(async () => {
  await child.end('SIGTERM')
  sweepDirectory(directory)
})

/** Serves its data; SIGTERM shuts the door at once, for nobody should knock any more by then. */
const PROGRAM = `
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
const model = readFileSync(process.env.DROVER_DATA + '/model.txt', 'utf8')
const server = createServer((request, response) => {
  if (request.url !== '/healthz') setTimeout(() => response.end(model), 20)
  else response.writeHead(model === 'bad' ? 500 : 200).end()
})
server.listen(Number(process.env.PORT_HTTP))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
`

const specOf = (model: string, replicas: number): string => `
kind: Pool
name: general
instances: { types: [m7a.large, m6a.large, m7i.large, m6i.large, r7a.large, r6a.large] }
repack: { when: empty, afterSeconds: 5 }
---
kind: Workload
name: web
replicas: ${String(replicas)}
command: [node, ${join(directory, 'serve.mjs')}]
data: { version: "${model}", source: "file://${join(directory, 'data', model)}/" }
resources: { cpu: 350m, memory: 256Mi }
ports: [{ name: http }]
health: { http: { path: /healthz, port: http }, intervalSeconds: 1 }
capacity: { onDemandBase: 3 }
rollout:
  maxSurge: 20%
  maxUnavailable: 10%
  minReadySeconds: 2
  healthyDeadlineSeconds: ${String(HEALTHY_DEADLINE_SECONDS)}
availability: { minAvailable: ${String(MIN_AVAILABLE * 100)}%, minReliable: 2 }
service: { targetGroupArn: "arn:aws:elasticloadbalancing:local:000000000000:targetgroup/web/any" }
terminationGraceSeconds: 5
`

async function apply(model: string, replicas: number): Promise<void> {
  const at = join(directory, 'data', model)
  mkdirSync(at, { recursive: true })
  writeFileSync(join(at, 'model.txt'), model.replace(/^bad.*/, 'bad'))
  const path = join(directory, `${model}.yaml`)
  writeFileSync(path, specOf(model, replicas))
  expect(await runCommand(child.url, ['apply', '-f', path])).toMatchObject({ code: 0 })
}

const read = async (path: string): Promise<unknown> => (await fetch(`${child.url}${path}`)).json()
const web = async () => workloadObjectSchema.parse(await read('/v1/workloads/web'))

const servicesSchema = z.object({
  items: z.array(
    z.object({
      ...{ url: z.string(), requests: z.number(), failed: z.number() },
      targets: z.array(z.object({ state: z.string() })),
    }),
  ),
})
async function service(): Promise<z.infer<typeof servicesSchema>['items'][number]> {
  const [own] = servicesSchema.parse(await read('/local/services')).items
  if (own === undefined) throw new Error('there is no service')
  return own
}

/** The spot machine that has been there longest gets its notice, and is taken away after it. */
async function interruptOne(interrupted: Set<string>): Promise<void> {
  const [oldest] = (await herd.instances()).filter(
    (own) =>
      own.state === 'running' && own.capacityType === 'spot' && !interrupted.has(own.instanceId),
  )
  if (oldest === undefined) return
  const { instanceId } = oldest
  await herd.send('POST', `/local/instances/${instanceId}/interrupt`, {
    noticeSeconds: NOTICE_SECONDS,
  })
  interrupted.add(instanceId)
}

it(
  'loses no request while data rolls and machines go, and stops a bad version',
  { timeout: 600_000 },
  async () => {
    await apply('model-0', REPLICAS)
    await settled(herd, 120_000)
    const { url } = await service()
    const traffic = startTraffic(url, REQUESTS_PER_SECOND)

    const shortest: string[] = []
    let isWatching = true
    const watching = (async (): Promise<void> => {
      let reached = 0
      while (isWatching) {
        const [{ status, spec }, { targets }] = await Promise.all([web(), service()])
        const healthy = targets.filter(({ state }) => state === 'healthy').length
        const least = Math.ceil(MIN_AVAILABLE * Math.min(status.desired, Number(spec['replicas'])))
        // A larger count raises the floor over who was there: it holds from when it was reached.
        if (healthy >= least) reached = least
        else if (healthy < Math.min(least, reached)) {
          const states = targets.map(({ state }) => state)
          shortest.push(JSON.stringify({ at: new Date().toISOString(), least, states, status }))
        }
        await sleep(250)
      }
    })()
    const interrupted = new Set<string>()
    const interrupting = setInterval(() => {
      void interruptOne(interrupted)
    }, INTERRUPT_EVERY_MS)

    for (let roll = 1; roll <= ROLLS; roll += 1) {
      const count = COUNTS[Math.floor((roll - 1) / 2)] ?? REPLICAS
      await apply(`model-${String(roll)}`, count)
      await sleep(ROLL_EVERY_MS)
    }
    clearInterval(interrupting)
    await until({ what: 'the tenth version has arrived', withinMs: 180_000 }, async () => {
      const { rollout, version, ready } = (await web()).status
      return rollout?.stable === version && rollout.old === 0 && ready >= REPLICAS
    })
    // One each 15 s, unless all spot machines that were there had their notice already.
    expect(interrupted.size).toBeGreaterThanOrEqual(ROLLS)
    const good = (await web()).status.version

    await apply('bad', REPLICAS)
    const appliedMs = performance.now()
    const bad = (await web()).status.version
    const touched = new Set<string>()
    await until({ what: 'the bad version is halted', withinMs: 60_000 }, async () => {
      for (const { id, version, phase } of await herd.replicas('web')) {
        if (version === bad && phase !== 'waiting') touched.add(id)
      }
      return (await web()).status.rollout?.failed !== undefined
    })
    const haltedAfterMs = performance.now() - appliedMs
    expect(await runCommand(child.url, ['rollout', 'undo', 'web'])).toMatchObject({ code: 0 })
    await until({ what: 'every replica is of the good version', withinMs: 90_000 }, async () => {
      const all = await herd.replicas('web')
      for (const { id, version } of all) if (version === bad) touched.add(id)
      return all.length === REPLICAS && all.every((own) => own.version === good && own.ready)
    })
    isWatching = false
    await watching
    await traffic.end()

    const sent = traffic.sent()
    console.log({
      ...{
        sent,
        interrupted: interrupted.size,
        haltedAfterMs,
        touched: touched.size,
        shortest: shortest.length,
      },
      answers: Object.fromEntries(traffic.answers()),
    })
    expect(traffic.failures()).toEqual([])
    expect((await service()).failed).toBe(0)
    expect(sent).toBeGreaterThan((ROLLS * ROLL_EVERY_MS * REQUESTS_PER_SECOND) / 1_000 / 2)
    expect(traffic.answers().has('bad')).toBe(false)
    expect(traffic.answers().get(`model-${String(ROLLS)}`)).toBeGreaterThan(0)
    expect(shortest).toEqual([])
    expect(touched.size).toBeGreaterThan(0)
    expect(touched.size).toBeLessThanOrEqual(BREAKER)
    expect(haltedAfterMs).toBeLessThan((HEALTHY_DEADLINE_SECONDS + 15) * 1_000)
  },
)
