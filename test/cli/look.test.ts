import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RepackAnswer } from '#shared/protocol/api.ts'
import { keys } from '#shared/store/keys.ts'
import { drover, NOW_MS, startApi, type Api } from './kit.ts'
import { setTeamStatus, settleHerd, tellBurnIns, tellEvents } from './herd.ts'

const PLACES = ['m7a.large/us-east-1a', 'm7a.large/us-east-1b']
const ONE = { pool: 'general', capacityType: 'spot', places: PLACES, usdPerHour: 0.0491 }
const REPACK: RepackAnswer = {
  at: new Date(NOW_MS - 240_000).toISOString(),
  groups: [
    {
      ...{ id: 'general-4-1', state: 'moving', reason: 'Underused', retire: ['general-4-1'] },
      ...{ launch: [], shift: [], savingUsdPerHour: 0.0512, moves: 2 },
      until: new Date(NOW_MS + 600_000).toISOString(),
    },
    {
      ...{ id: 'general-4-2+1', state: 'next', reason: 'Cheaper', launch: [ONE] },
      ...{ retire: ['general-4-2', 'general-4-3'], savingUsdPerHour: 0.0702, moves: 5 },
      shift: [{ node: 'general-4-7', replica: 'web/4-2' }],
    },
    {
      ...{ id: 'gpu-6-1', state: 'held', reason: 'Expired', retire: ['gpu-6-1'], launch: [ONE] },
      ...{ shift: [], savingUsdPerHour: -0.02, moves: 1 },
      why: { code: 'Budget', text: 'pool gpu lets no more nodes move at once' },
    },
  ],
  refused: [{ retire: ['general-4-9'], reason: { code: 'Young', text: 'it is new' } }],
}

let api: Api
beforeAll(async () => {
  api = await startApi({
    cost: {
      costUsdPerHour: 0.3984,
      ...{ boundUsdPerHour: 0.3102, fleetUsdPerHour: 0.3184, gap: 0.3184 / 0.3102 - 1 },
      boundAt: new Date(NOW_MS - 90_000).toISOString(),
      ...{ onDemandUsdPerHour: 0.8051, leavingUsdPerHour: 0.08, quarantinedUsdPerHour: 0 },
      ...{ headroomUsdPerHour: 0.04, testingUsdPerHour: 0.05, surgeUsdPerHour: 0.0123 },
      pools: [
        { name: 'general', nodes: 3, costUsdPerHour: 0.167, onDemandUsdPerHour: 0.2791 },
        { name: 'gpu', nodes: 1, costUsdPerHour: 0.2314, onDemandUsdPerHour: 0.526 },
      ],
    },
    repack: REPACK,
  })
  await drover(['apply', '-f', 'test/cli/herd.yaml'], api.url)
  await settleHerd(api)
  await tellBurnIns(api)
})
afterAll(() => api.close())

const run = (line: string, options?: Parameters<typeof drover>[2]): Promise<string> =>
  drover(line.split(' '), api.url, options)

describe('drover get', () => {
  it('shows workloads', async () => {
    await expect(await run('get workloads')).toMatchFileSnapshot('./golden/get-workloads.txt')
  })

  it('shows nodes, with what they cost, hold and suffer from', async () => {
    await expect(await run('get nodes')).toMatchFileSnapshot('./golden/get-nodes.txt')
  })

  it('cuts and colours for a terminal, unless NO_COLOR says not to', async () => {
    const tty = { columns: 80 }
    await expect(await run('get wl', { tty })).toMatchFileSnapshot('./golden/get-wl-tty.txt')
    const plain = await run('get wl', { tty, env: { NO_COLOR: '1' } })
    expect(plain).not.toContain('␛')
    expect(plain.split('\n').every((line) => line.length <= 80)).toBe(true)
  })

  it('shows replicas, of one workload or on one node', async () => {
    await expect(await run('get replicas')).toMatchFileSnapshot('./golden/get-replicas.txt')
    expect(await run('get re --node general-4-2')).toMatchInlineSnapshot(`
      "ID       WORKLOAD  PHASE  NODE         RESTARTS  AGE  ADDRESS               VERSION
      web/4-3  web       ready  general-4-2         0   8m  http=127.0.0.1:41234  a-version-id
      [exit 0]"
    `)
    expect(await run('get re web/4-3 --json')).toMatchInlineSnapshot(`
      "{
        "id": "web/4-3",
        "workload": "web",
        "version": "a-version-id",
        "node": "general-4-2",
        "phase": "ready",
        "ready": true,
        "restarts": 0,
        "startedAt": "2026-11-22T09:52:00.000Z",
        "addresses": {
          "http": "127.0.0.1:41234"
        },
        "gpus": []
      }
      [exit 0]"
    `)
    expect(await run('get re web/9-9')).toMatchInlineSnapshot(`
      "! error: there is no replica web/9-9
      ! next: drover get replicas shows what there is
      [exit 1]"
    `)
  })

  it('shows pools and teams', async () => {
    expect(await run('get po')).toMatchInlineSnapshot(`
      "NAME     STATE  NODES   CPU  MEMORY  CAPACITY        LIMITS           MACHINES
      general  ok         3  1.75   896Mi  spot on-demand  cpu 64, $5.00/h  m6a m7a c6a c7a r6a
      gpu      ok         1     0       0  spot on-demand  gpu 2, $3.00/h   g4dn g5 g6
      [exit 0]"
    `)
    expect(await run('get teams')).toMatchInlineSnapshot(`
      "! no teams
      [exit 0]"
    `)
    await run('apply -f test/cli/team.yaml')
    await setTeamStatus(api, 'search')
    expect(await run('get teams')).toMatchInlineSnapshot(`
      "NAME    STATE  QUOTA         USED               BORROWED  SHORT  BORROW    LEND
      search  ok     cpu 2, gpu 1  cpu 4, memory 8Gi  cpu 2     gpu 1  existing  cpu 1
      [exit 0]"
    `)
    expect(await run('describe team search')).toMatchInlineSnapshot(`
      "Team:        search
      Quota:       cpu 2, gpu 1
      Used:        cpu 4, memory 8Gi
      Borrowed:    cpu 2
      Short:       gpu 1
      Borrow:      existing
      Lend:        cpu 1
      Weight:      1
      Generation:  1

      Events of the last day
        AGE  TYPE    REASON   TEXT
         0s  Normal  Created  created (generation 1)
      [exit 0]"
    `)
  })

  it('shows one object, and names the near ones when it is not there', async () => {
    await expect(await run('get node general-4-1')).toMatchFileSnapshot(
      './golden/get-node-general-4-1.txt',
    )
    expect(await run('get workload wbe')).toMatchInlineSnapshot(`
      "! error: there is no workload "wbe"
      ! next: did you mean web?
      [exit 1]"
    `)
    expect(await run('get pool zzzzzz')).toMatchInlineSnapshot(`
      "! error: there is no pool "zzzzzz"
      ! next: drover get pools shows what there is
      [exit 1]"
    `)
  })

  it("prints exactly the API's JSON, and errors as its problem document", async () => {
    const body = (await (await fetch(`${api.url}/v1/nodes`)).json()) as unknown
    const transcript = await run('get nodes --json')
    expect(JSON.parse(transcript.replace('[exit 0]', ''))).toEqual(body)
    expect(await run('get workload wbe -o json')).toMatchInlineSnapshot(`
      "! {
      !   "type": "urn:drover:problem:NotFound",
      !   "title": "Not found",
      !   "status": 404,
      !   "detail": "there is no workload \\"wbe\\"",
      !   "code": "NotFound"
      ! }
      [exit 1]"
    `)
  })

  it('shows where a workload can be reached', async () => {
    expect(await run('get endpoints web')).toMatchInlineSnapshot(`
      "REPLICA  PORT  ADDRESS          STATE  NODE         ZONE        VERSION
      web/4-2  http  127.0.0.1:41233  ready  general-4-1  us-east-1a  a-version-id
      web/4-3  http  127.0.0.1:41234  ready  general-4-2  us-east-1b  a-version-id
      [exit 0]"
    `)
    expect(await run('get ep workload/web --json')).toContain('"address": "127.0.0.1"')
  })

  it('says how many endpoints one answer did not hold', async () => {
    const cut: typeof fetch = async (input, init) => {
      const { items } = (await (await fetch(input, init)).json()) as { items: unknown[] }
      return Response.json({ items: items.slice(0, 1), more: items.length - 1 })
    }
    const shown = await run('get endpoints web', { fetch: cut })
    expect(shown).toContain('web/4-2  http')
    expect(shown).toMatch(/^and 1 more$/m)
  })

  it('says what to do where nothing can be reached yet, or which workload is meant', async () => {
    expect(await run('get endpoints worker')).toMatchInlineSnapshot(`
      "! no endpoints of worker
      ! next: drover get replicas --workload worker
      [exit 0]"
    `)
    expect(await run('get endpoints wbe')).toMatchInlineSnapshot(`
      "! error: there is no workload "wbe"
      ! next: did you mean web?
      [exit 1]"
    `)
    expect(await run('get endpoints')).toMatchInlineSnapshot(`
      "! error: NAME is missing
      ! next: drover get endpoints WORKLOAD
      [exit 2]"
    `)
  })

  it('refuses kinds that do not exist and options that do not fit', async () => {
    expect(await run('get nodse')).toMatchInlineSnapshot(`
      "! error: "nodse" is no kind of thing; did you mean node?
      ! next: use workloads, pools, teams, nodes, replicas, events or endpoints
      [exit 2]"
    `)
    expect(await run('get nodes --workload web')).toMatchInlineSnapshot(`
      "! error: --workload and --node go with replicas only
      [exit 2]"
    `)
  })

  it('watches: only what changed in a pipe, the whole picture on a terminal', async () => {
    const cordoned = async (on: boolean): Promise<void> => {
      await api.store.update(keys.node('general-4-1'), { cordoned: on })
    }
    const onSleep = async (_now: number, count: number, interrupt: () => void): Promise<void> => {
      if (count === 1) await cordoned(true)
      if (count === 3) interrupt()
    }
    await expect(await run('get nodes --watch', { onSleep })).toMatchFileSnapshot(
      './golden/get-nodes-watch.txt',
    )
    await cordoned(false)
    const seen = await run('get wl --watch', {
      tty: { columns: 90 },
      env: { NO_COLOR: '1' },
      onSleep: (_now, count, interrupt) => {
        if (count === 2) interrupt()
      },
    })
    expect(seen.split('Ctrl-C to end')).toHaveLength(3)
  })
})

describe('drover describe', () => {
  it('tells everything about a workload', async () => {
    expect(await run('describe workload web')).toMatchInlineSnapshot(`
      "Workload:      web
      State:         starting
      Replicas:      2/3 ready, 2 running, 3 assigned, 3 updated
      Version:       a-version-id
      Generation:    1 (seen: 1)
      Command:       sh -c exec node "$DROVER_EXAMPLES/programs/web.mjs"
      Resources:     cpu 500m, memory 256Mi
      Ports:         http
      Health:        http /healthz on http every 1s
      Capacity:      spot allowed, on-demand base 1
      Placement:     pools general, spread zone
      Availability:  minAvailable 2
      Grace:         10s

      Conditions
        TYPE         STATUS  REASON            SINCE  TEXT
        Available    true    MinimumAvailable  3m     2 of at least 2 are ready
        Progressing  true    ReplicasStarting  3m     1 replica is starting

      Replicas
        ID       WORKLOAD  PHASE    NODE         RESTARTS  AGE  ADDRESS               VERSION
        web/4-2  web       ready    general-4-1         0   8m  http=127.0.0.1:41233  a-version-id
        web/4-3  web       ready    general-4-2         0   8m  http=127.0.0.1:41234  a-version-id
        web/5-1  web       running  general-5-1         0   8m  -                     a-version-id

      Events of the last day
        AGE  TYPE    REASON   TEXT
         8m  Normal  Bound    web/4-2 to general-4-1
         0s  Normal  Created  created (generation 1)
      [exit 0]"
    `)
  })

  it('tells everything about a node', async () => {
    await expect(await run('describe node/general-4-1')).toMatchFileSnapshot(
      './golden/describe-node-general-4-1.txt',
    )
    expect(await run('describe no gpu-6-1')).toMatchInlineSnapshot(`
      "Node:      gpu-6-1
      Phase:     launching
      Pool:      gpu
      Instance:  not launched yet
      Capacity:  spot, ≤ $0.2314/h
      CPU:       0
      Memory:    0
      Created:   2026-11-22 09:59:40Z, 20s ago

      Conditions
        TYPE   STATUS  REASON     SINCE  TEXT
        Ready  false   Launching  15s    the node is launching
      [exit 0]"
    `)
  })

  it('tells everything about a pool', async () => {
    expect(await run('describe pool gpu')).toMatchInlineSnapshot(`
      "Pool:        gpu
      Nodes:       1
      Machines:    g4dn g5 g6
      Capacity:    spot, on-demand
      Zones:       all
      Limits:      gpu 2, $3.00/h
      Taints:      accelerator=gpu
      Burn-in:     basic within 5m
      Repack:      when cheaper, after 30s
      Generation:  1

      Nodes
        NAME     STATE      CAPACITY        PRICE  CPU  MEMORY  REPLICAS  AGE
        gpu-6-1  launching  spot      ≤ $0.2314/h    0       0         0  20s

      Events of the last day
        AGE  TYPE    REASON   TEXT
         0s  Normal  Created  created (generation 1)
      [exit 0]"
    `)
  })

  it('wants a name', async () => {
    expect(await run('describe node')).toMatchInlineSnapshot(`
      "! error: NAME is missing
      ! next: drover describe node NAME
      [exit 2]"
    `)
  })
})

describe('drover burn-in history', () => {
  it('shows what became of the machines that were tested, or of some of them', async () => {
    const all = await run('burn-in history')
    await expect(all).toMatchFileSnapshot('./golden/burn-in-history.txt')
    expect(await run('burn-in history --pool gpu --json')).toMatchInlineSnapshot(`
      "{
        "items": [
          {
            "id": "001795341360000-gpu-6-2-0001",
            "node": "gpu-6-2",
            "pool": "gpu",
            "arn": "arn:aws:ec2:us-east-1:a-version-id:instance/i-gpu-6-2",
            "instanceType": "g5.xlarge",
            "zone": "us-east-1a",
            "suite": "gpu-quick#4d5e6f70",
            "attempt": 2,
            "verdict": "FAIL",
            "checks": [
              {
                "name": "hardware",
                "verdict": "FAIL",
                "measures": {},
                "text": "GPU-1 failed in gpu-2-1"
              }
            ],
            "gpus": [
              "GPU-1"
            ],
            "at": "2026-11-22T09:56:00.000Z"
          }
        ]
      }
      [exit 0]"
    `)
    expect(await run('burn-in history --gpu GPU-1 --since 1m')).toMatchInlineSnapshot(`
      "! no machine was tested in that time
      [exit 0]"
    `)
  })
})

describe('drover events', () => {
  it('shows the last hour, or as far back as asked, or of one object', async () => {
    expect(await run('events')).toMatchInlineSnapshot(`
      " AGE  TYPE     REASON    OBJECT            TEXT
        9m  Normal   Launched  node/general-4-1  m7a.large in us-east-1a for $0.0475/h
        8m  Normal   Bound     workload/web      web/4-2 to general-4-1
      100s  Warning  Silent    node/general-4-2  no beat for 100 s
        0s  Normal   Created   pool/general      created (generation 1)
        0s  Normal   Created   pool/gpu          created (generation 1)
        0s  Normal   Created   workload/web      created (generation 1)
        0s  Normal   Created   workload/worker   created (generation 1)
        0s  Normal   Created   workload/gpu-job  created (generation 1)
        0s  Normal   Created   team/search       created (generation 1)
      [exit 0]"
    `)
    expect(await run('events --since 1d --object node/general-4-2')).toMatchInlineSnapshot(`
      " AGE  TYPE     REASON  OBJECT            TEXT
        2h  Normal   Ready   node/general-4-2  passed its burn-in
      100s  Warning  Silent  node/general-4-2  no beat for 100 s
      [exit 0]"
    `)
    expect(await run('events --object pool/nothing')).toMatchInlineSnapshot(`
      "! no events in that time
      [exit 0]"
    `)
  })

  it('follows, telling each event once though it looks back for late ones', async () => {
    const onSleep = async (_now: number, count: number, interrupt: () => void): Promise<void> => {
      const object = 'workload/worker'
      if (count === 1)
        await tellEvents(api, [{ agoMs: 1_000, object, reason: 'Bound', text: 'first' }])
      if (count === 2)
        await tellEvents(api, [{ agoMs: 2_000, object, reason: 'Bound', text: 'told late' }])
      if (count === 4) interrupt()
    }
    expect(await run('events --follow --since 2m', { onSleep })).toMatchInlineSnapshot(`
      "2026-11-22 09:58:20Z  Warning  node/general-4-2 Silent: no beat for 100 s
      2026-11-22 10:00:00Z  Normal   pool/general Created: created (generation 1)
      2026-11-22 10:00:00Z  Normal   pool/gpu Created: created (generation 1)
      2026-11-22 10:00:00Z  Normal   workload/web Created: created (generation 1)
      2026-11-22 10:00:00Z  Normal   workload/worker Created: created (generation 1)
      2026-11-22 10:00:00Z  Normal   workload/gpu-job Created: created (generation 1)
      2026-11-22 10:00:00Z  Normal   team/search Created: created (generation 1)
      2026-11-22 09:59:59Z  Normal   workload/worker Bound: first
      2026-11-22 09:59:58Z  Normal   workload/worker Bound: told late
      [exit 0]"
    `)
  })
})

describe('drover explain, cost and version', () => {
  it('explains every replica', async () => {
    expect(await run('explain gpu-job')).toMatchInlineSnapshot(`
      "REPLICA            PHASE    REASON        TEXT
      gpu-job/waiting-1  waiting  NodeOnItsWay  waits for gpu-6-1 (g4dn.xlarge) (waiting for 20 s)
      [exit 0]"
    `)
    expect(await run('explain gpu-jbo')).toMatchInlineSnapshot(`
      "! error: there is no workload "gpu-jbo"
      ! next: did you mean gpu-job?
      [exit 1]"
    `)
  })

  it('shows the cost beside what is possible', async () => {
    expect(await run('cost')).toMatchInlineSnapshot(`
      "Fleet:      $0.3984/h, about $291 a month
      On demand:  $0.8051/h, of which 51% is saved
      Headroom:   $0.0400/h
      Testing:    $0.0500/h
      Surge:      $0.0123/h
      Leaving:    $0.0800/h
      Bound:      no fleet could do it under $0.3102/h; $0.3184/h is 2.6% over it (computed 90s ago)

      Pools
        NAME     NODES       COST  ON DEMAND  SAVED
        general      3  $0.1670/h  $0.2791/h    40%
        gpu          1  $0.2314/h  $0.5260/h    56%
      [exit 0]"
    `)
  })

  it('tells what a repack does, would do and will not do', async () => {
    const told = await run('repack status')
    await expect(told).toMatchFileSnapshot('./golden/repack-status.txt')
  })

  it('says which drover answers', async () => {
    expect(await run('version')).toMatchInlineSnapshot(`
      "command  0.1.0
      server   0.1.0 at http://drover.test
      [exit 0]"
    `)
  })
})
