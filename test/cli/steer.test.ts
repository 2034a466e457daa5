import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keys } from '#shared/store/keys.ts'
import { condition, nodeItem, setStatus, settleHerd } from './herd.ts'
import { drover, startApi, type Api, type RunOptions } from './kit.ts'

let api: Api
beforeEach(async () => {
  api = await startApi()
})
afterEach(async () => {
  await api.close()
})

const run = (line: string, options?: RunOptions): Promise<string> =>
  drover(line.split(' '), api.url, options)
const WEB = 'kind: Workload\nname: web\nreplicas: 2\ncommand: [node, web.mjs]\n'

describe('drover scale and rollout', () => {
  beforeEach(async () => {
    await run('apply -f -', { input: WEB })
  })

  it('scales', async () => {
    expect(await run('scale web 5')).toMatchInlineSnapshot(`
      "workload/web: 5 wanted, 0 ready now
      next: drover wait --for ready workload/web
      [exit 0]"
    `)
    expect(await run('scale wbe 5')).toMatchInlineSnapshot(`
      "! error: there is no workload "wbe"
      ! next: did you mean web?
      [exit 1]"
    `)
    expect(await run('scale web many')).toMatchInlineSnapshot(`
      "! error: replicas: "many" is no whole number from 0 on
      [exit 2]"
    `)
    expect(await run('scale web 99999')).toMatchInlineSnapshot(`
      "! error: replicas: must be at most 10000, not 99999
      [exit 1]"
    `)
  })

  it('shows a roll-out, holds it and goes back', async () => {
    expect(await run('rollout status web')).toMatchInlineSnapshot(`
      "Workload:  web
      State:     pending
      Version:   a-version-id
      Updated:   0/2
      Ready:     0/2

      Conditions
        TYPE         STATUS  REASON      SINCE  TEXT
        Progressing  true    NotYetSeen  0s     no pass has seen generation 1 yet
      ! error: workload/web: the roll-out is not complete: 0 of 2 are ready at the newest version
      ! next: drover rollout status web --wait
      [exit 1]"
    `)
    expect(await run('rollout undo web --to abc')).toMatchInlineSnapshot(`
      "! error: to: must be one of the kept revisions: 1 (a-version-id); it was "abc"
      [exit 1]"
    `)
    expect(await run('rollout pause web')).toMatchInlineSnapshot(`
      "workload/web paused
      next: drover rollout status web
      [exit 0]"
    `)
    expect(await run('rollout resume web')).toMatchInlineSnapshot(`
      "workload/web goes on
      next: drover rollout status web
      [exit 0]"
    `)
    await run('apply -f -', { input: WEB.replace('web.mjs', 'new.mjs') })
    expect(await run('rollout undo web')).toMatchInlineSnapshot(`
      "workload/web rolls back
      next: drover rollout status web
      [exit 0]"
    `)
    expect(await run('rollout halt web')).toMatchInlineSnapshot(`
      "! error: unknown command 'halt'
      ! next: drover rollout --help
      [exit 2]"
    `)
  })
})

describe('drover wait', () => {
  beforeEach(async () => {
    await run('apply -f -', { input: WEB })
  })

  it('gives up when the time is over, and says where to look', async () => {
    expect(await run('wait --for ready workload/web --timeout 3s')).toMatchInlineSnapshot(`
      "! workload/web not seen yet
      ! error: not ready within 3s: workload/web not seen yet
      ! next: drover explain web
      [exit 1]"
    `)
  })

  it('gives up at once when drover has', async () => {
    const conditions = [
      condition({
        type: 'Progressing',
        status: false,
        reason: 'ProgressDeadlineExceeded',
        text: 'no progress for 600 s',
      }),
    ]
    await setStatus(api, 'web', { desired: 2, ready: 1, updated: 1, conditions })
    expect(await run('wait workload/web')).toMatchInlineSnapshot(`
      "! error: workload/web: ProgressDeadlineExceeded: no progress for 600 s
      ! next: drover explain web
      [exit 1]"
    `)
  })

  it('does not take numbers of an older generation for an answer', async () => {
    await setStatus(api, 'web', { desired: 2, ready: 2, updated: 2, observedGeneration: 0 })
    expect(await run('wait workload/web --timeout 1s')).toContain('not seen yet')
  })

  it('waits for nodes, to be ready or gone', async () => {
    await api.put(
      nodeItem({
        name: 'p-1-1',
        spot: true,
        type: 'm7a.large',
        zone: 'us-east-1a',
        priceUsdPerHour: 0.05,
        ageMs: 1_000,
        changes: { phase: 'testing' },
      }),
    )
    const onSleep = async (_now: number, count: number): Promise<void> => {
      if (count === 2) await api.store.update(keys.node('p-1-1'), { phase: 'ready' })
    }
    expect(await run('wait node/p-1-1', { onSleep })).toMatchInlineSnapshot(`
      "! node/p-1-1 is testing
      node/p-1-1 is ready after 2.0s
      [exit 0]"
    `)
    const ready = await run('wait node/p-1-1 --json')
    expect(JSON.parse(ready.replace('[exit 0]', ''))).toMatchObject({
      name: 'p-1-1',
      phase: 'ready',
    })
    const leave = async (): Promise<void> => {
      await api.store.write({ kind: 'delete', key: keys.node('p-1-1') })
    }
    expect(await run('wait --for deleted no/p-1-1', { onSleep: leave })).toMatchInlineSnapshot(`
      "! node/p-1-1 is ready, 0 replicas on it
      node/p-1-1 is gone after 1.0s
      [exit 0]"
    `)
    expect(await run('wait node/p-1-1')).toMatchInlineSnapshot(`
      "! error: there is no node "p-1-1"
      ! next: there are no nodes yet
      [exit 1]"
    `)
  })

  it('asks again where a server that was there answers nothing, or badly', async () => {
    let asked = 0
    const shaky: typeof fetch = (input, init) => {
      asked += 1
      if (asked > 1 && asked < 6) return Promise.reject(new TypeError('fetch failed'))
      if (asked === 6) return Promise.resolve(new Response('{"message": "Rate"}', { status: 429 }))
      return fetch(input, init)
    }
    const answer = await run('wait --for deleted workload/web --timeout 60s', {
      fetch: shaky,
      onSleep: async () => {
        if (asked < 7) return
        await api.store.write({ kind: 'delete', key: keys.spec('workload', 'web') })
      },
    })
    expect(answer).toMatchInlineSnapshot(`
      "! workload/web is there, and nobody has deleted it
      ! error: no drover at http://drover.test; asking again
      workload/web is gone after 5.8s
      [exit 0]"
    `)
    const gone = await run('wait workload/other --timeout 60s', {
      fetch: () => Promise.reject(new TypeError('fetch failed')),
    })
    expect(gone).toMatchInlineSnapshot(`
      "! error: no drover at http://drover.test
      ! next: start one with npm start, or set DROVER_URL
      [exit 1]"
    `)
  })

  it('keeps one line alive on a terminal, and ends at Ctrl-C', async () => {
    const interrupted = await run('wait workload/web', {
      tty: { columns: 60 },
      env: { NO_COLOR: '1' },
      onSleep: (_now, count, interrupt) => {
        if (count === 2) interrupt()
      },
    })
    expect(interrupted).toMatchInlineSnapshot(`
      "
      ! ␛[K0s  workload/web not seen yet
      ! ␛[K1s  workload/web not seen yet
      ! ␛[K! error: interrupted
      [exit 130]"
    `)
  })

  it('refuses what never comes', async () => {
    expect(await run('wait pool/general')).toMatchInlineSnapshot(`
      "! error: a pool is never "ready"
      ! next: wait for a workload or a node to be ready
      [exit 2]"
    `)
    expect(await run('wait web')).toMatchInlineSnapshot(`
      "! error: "web" is no KIND/NAME
      ! next: write it like workload/web
      [exit 2]"
    `)
    expect(await run('wait --for happiness workload/web')).toMatchInlineSnapshot(`
      "! error: --for: "happiness" is nothing to wait for
      ! next: use ready or deleted
      [exit 2]"
    `)
    expect(await run('wait workload/web --timeout soon')).toMatchInlineSnapshot(`
      "! error: --timeout: "soon" is no duration
      ! next: write it like 90s, 15m or 1h30m
      [exit 2]"
    `)
  })
})

describe('drover node, pool and sweep', () => {
  beforeEach(async () => {
    await drover(['apply', '-f', 'test/cli/herd.yaml'], api.url)
    await settleHerd(api)
  })

  it('orders of a node what a person wants', async () => {
    expect(await run('node cordon general-4-1')).toMatchInlineSnapshot(`
      "node/general-4-1 gets no new replicas
      next: drover node uncordon general-4-1
      [exit 0]"
    `)
    expect(await run('node uncordon general-4-1')).toMatchInlineSnapshot(`
      "node/general-4-1 may get replicas again
      next: drover describe node general-4-1
      [exit 0]"
    `)
    expect(await run('node drain general-4-1 --deadline 5m')).toMatchInlineSnapshot(`
      "node/general-4-1 drains 2 replicas within 5m
      next: drover wait --for deleted node/general-4-1
      [exit 0]"
    `)
    expect(await run('node retest general-4-2')).toMatchInlineSnapshot(`
      "node/general-4-2 will be tested again
      next: drover describe node general-4-2
      [exit 0]"
    `)
    expect(await run('node terminate general-4-2 --force')).toMatchInlineSnapshot(`
      "node/general-4-2 is ended at once
      next: drover wait --for deleted node/general-4-2
      [exit 0]"
    `)
    expect(await api.store.get(keys.order('node', 'general-4-1'))).toMatchObject({
      verb: 'drain',
      deadlineSeconds: 300,
    })
    expect(await api.store.get(keys.order('node', 'general-4-2'))).toMatchObject({
      verb: 'terminate',
      force: true,
    })
  })

  it('names the near ones, and the bounds of a deadline', async () => {
    expect(await run('node drain general-4')).toMatchInlineSnapshot(`
      "! error: there is no node "general-4"
      ! next: did you mean general-4-1, general-4-2 or general-5-1?
      [exit 1]"
    `)
    expect(await run('node drain general-4-1 --deadline 3d')).toMatchInlineSnapshot(`
      "! error: --deadline: must be at most 1d
      [exit 2]"
    `)
    expect(await run('node cordon general-4-1 --force')).toMatchInlineSnapshot(`
      "! error: unknown option '--force'
      ! next: drover node cordon --help
      [exit 2]"
    `)
  })

  it('releases a brake and allows a sweep', async () => {
    expect(await run('pool release-brake general')).toMatchInlineSnapshot(`
      "pool/general: the brake is lifted for one window
      next: drover describe pool general
      [exit 0]"
    `)
    expect(await run('sweep allow')).toMatchInlineSnapshot(`
      "the next sweep may end machines that the table does not know
      next: drover events --follow
      [exit 0]"
    `)
    expect(await api.store.get(keys.order('pool', 'general'))).toMatchObject({
      verb: 'release-brake',
    })
  })
})
