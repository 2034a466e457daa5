import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { makeMemoryMetricSource } from '#shared/cloud/memory-metric-source.ts'
import { autoscale } from '#shared/controllers/autoscale.ts'
import { drover, NOW_MS, startApi, type Api, type RunOptions } from './kit.ts'

let api: Api
beforeEach(async () => {
  api = await startApi()
  await run('apply -f -', { input: ORDERS })
})
afterEach(async () => {
  await api.close()
})

const run = (line: string, options?: RunOptions): Promise<string> =>
  drover(line.split(' '), api.url, options)

const ORDERS = `
kind: Workload
name: orders
command: [node, work.mjs]
scale:
  min: 0
  max: 20
  metrics:
    - {type: pushed, name: backlog, target: 20}
    - {type: sqs, queueUrl: 'https://sqs.us-east-1.amazonaws.com/111122223333/mail', target: 5}
    - {type: schedule, timeZone: UTC, from: '08:00', to: '18:00', replicas: 2}
`

async function look(secondsAgo: number, mail?: number): Promise<void> {
  const metrics = makeMemoryMetricSource()
  if (mail !== undefined) metrics.set('sqs mail', mail)
  const clock = { now: () => NOW_MS - secondsAgo * 1000 }
  await autoscale({ store: api.store, metrics, clock, log: silentLogger })
}

describe('drover and a workload that is scaled', () => {
  it('says that it scales itself, and what to do', async () => {
    expect(await run('scale orders 5')).toMatchInlineSnapshot(`
      "! error: workload "orders" scales itself: apply another scale, or replicas instead of it
      [exit 1]"
    `)
  })

  it('tells what its metrics say', async () => {
    expect(await run('metric push orders backlog 110')).toMatchInlineSnapshot(`
      "workload/orders: backlog is 110 now
      next: drover describe workload orders
      [exit 0]"
    `)
    await look(130, 12)
    expect(await run('describe workload orders')).toMatchInlineSnapshot(`
      "Workload:    orders
      State:       pending
      Replicas:    0/4 ready, 0 running, 0 assigned, 0 updated
      Scale:       4 of 0 to 20; to 0 after 5m of nothing
      Because:     pushed backlog asks for 6; behavior.scaleUp lets no more start at a time
      Version:     a-version-id
      Generation:  1 (seen: 0)
      Command:     node work.mjs
      Resources:   cpu 100m, memory 128Mi
      Capacity:    spot allowed
      Grace:       30s

      Metrics
        METRIC                NOW  A REPLICA  ASKS FOR  READ
        pushed backlog        110         20         6    2m
        sqs mail               12          5         3    2m
        schedule 08:00-18:00    -          -         2    2m
        last scaled 2m ago, 0 → 4
          pushed backlog is 110, 20 a replica: 6; behavior.scaleUp lets no more start at a time

      Conditions
        TYPE         STATUS  REASON      SINCE  TEXT
        Progressing  true    NotYetSeen  0s     no pass has seen generation 1 yet

      Events of the last day
        AGE  TYPE    REASON   TEXT
         0s  Normal  Created  created (generation 1)
      [exit 0]"
    `)
  })

  it('tells what cannot be read', async () => {
    await look(60)
    expect(await run('describe workload orders')).toMatchInlineSnapshot(`
      "Workload:    orders
      State:       pending
      Replicas:    0/2 ready, 0 running, 0 assigned, 0 updated
      Scale:       2 of 0 to 20; to 0 after 5m of nothing
      Because:     schedule 08:00-18:00 asks for 2
      Version:     a-version-id
      Generation:  1 (seen: 0)
      Command:     node work.mjs
      Resources:   cpu 100m, memory 128Mi
      Capacity:    spot allowed
      Grace:       30s

      Metrics
        METRIC                ASKS FOR  READ  WHY NOT
        pushed backlog               -   60s  nothing has been pushed so far
        sqs mail                     -   60s  sqs mail says nothing
        schedule 08:00-18:00         2   60s  -
        last scaled 60s ago, 0 → 2
          schedule 08:00-18:00: 2 until 18:00 in UTC

      Conditions
        TYPE         STATUS  REASON      SINCE  TEXT
        Progressing  true    NotYetSeen  0s     no pass has seen generation 1 yet

      Events of the last day
        AGE  TYPE    REASON   TEXT
         0s  Normal  Created  created (generation 1)
      [exit 0]"
    `)
  })

  it('says what was misspelt of a metric', async () => {
    expect(await run('metric push orders backlock 110')).toMatchInlineSnapshot(`
      "! error: workload orders has no pushed metric of that name; it has backlog
      [exit 1]"
    `)
    expect(await run('metric push ordres backlog 110')).toMatchInlineSnapshot(`
      "! error: there is no workload "ordres"
      ! next: did you mean orders?
      [exit 1]"
    `)
    expect(await run('metric push orders backlog many')).toMatchInlineSnapshot(`
      "! error: value: "many" is no number from 0 on
      [exit 2]"
    `)
  })
})
