import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { condition, setStatus } from './herd.ts'
import { drover, startApi, type Api, type RunOptions } from './kit.ts'

let api: Api
let dir: string
beforeEach(async () => {
  api = await startApi()
  dir = await mkdtemp(join(tmpdir(), 'drover-cli-'))
})
afterEach(async () => {
  await api.close()
  await rm(dir, { recursive: true })
})

const run = async (line: string, options?: RunOptions): Promise<string> =>
  (await drover(line.split(' '), api.url, options)).replaceAll(dir, 'DIR')
const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(dir, name), text)
  return join(dir, name)
}
const WEB = 'kind: Workload\nname: web\nreplicas: 2\ncommand: [node, web.mjs]\n'

describe('drover apply', () => {
  it('warns of guarantees that no pool could keep', async () => {
    const path = await file(
      'all.yaml',
      'kind: Team\nname: t\nquota: {cpu: 8}\n---\nkind: Pool\nname: p\nlimits: {cpu: 4}\n',
    )
    expect(await run(`apply -f ${path}`)).toMatchInlineSnapshot(`
      "pool/p created
      team/t created
      !   warning: team t is guaranteed cpu 8, and the pools it may use are limited to cpu 4
      next: drover get pools
      [exit 0]"
    `)
  })

  it('applies pools and teams before workloads, and says what came of each', async () => {
    const path = await file(
      'all.yaml',
      `${WEB}---\n# nothing\n---\nkind: Team\nname: t\n---\nkind: Pool\nname: p\n`,
    )
    expect(await run(`apply -f ${path}`)).toMatchInlineSnapshot(`
      "pool/p created
      team/t created
      workload/web created
      next: drover wait --for ready workload/web
      [exit 0]"
    `)
    expect(await run(`apply -f ${path}`)).toMatchInlineSnapshot(`
      "pool/p unchanged
      team/t unchanged
      workload/web unchanged
      next: drover wait --for ready workload/web
      [exit 0]"
    `)
    await file('all.yaml', WEB.replace('2', '3'))
    expect(await run(`apply -f ${path} --json`)).toMatchInlineSnapshot(`
      "{
        "kind": "Workload",
        "name": "web",
        "generation": 2,
        "spec": {
          "replicas": 3,
          "priority": 0,
          "preemptible": false,
          "capacity": {
            "spot": "allowed",
            "onDemandBase": 0,
            "onDemandPercent": 0
          },
          "placement": {},
          "tolerations": [],
          "rollout": {
            "maxUnavailable": "25%",
            "maxSurge": "25%",
            "minReadySeconds": 0,
            "progressDeadlineSeconds": 600,
            "healthyDeadlineSeconds": 300,
            "bakeSeconds": 0,
            "maxFailures": "10%",
            "onFailure": "halt"
          },
          "availability": {},
          "command": [
            "node",
            "web.mjs"
          ],
          "env": {},
          "resources": {
            "cpu": "100m",
            "memory": "128Mi",
            "gpu": 0
          },
          "ports": [],
          "terminationGraceSeconds": 30
        },
        "status": {
          "observedGeneration": 0,
          "desired": 3,
          "assigned": 0,
          "running": 0,
          "ready": 0,
          "updated": 0,
          "version": "a-version-id",
          "conditions": [
            {
              "type": "Progressing",
              "status": true,
              "reason": "NotYetSeen",
              "text": "no pass has seen generation 2 yet",
              "since": "2026-11-22T10:00:00.000Z"
            }
          ]
        }
      }
      [exit 0]"
    `)
  })

  it('takes JSON, folders and input', async () => {
    await mkdir(join(dir, 'specs'))
    await file('specs/b.json', JSON.stringify({ kind: 'Pool', name: 'from-json' }))
    await file('specs/a.yml', 'kind: Pool\nname: from-yml\n')
    await file('specs/README.md', '# not a spec')
    expect(await run(`apply -f ${dir}/specs`)).toMatchInlineSnapshot(`
      "pool/from-yml created
      pool/from-json created
      next: drover get pools
      [exit 0]"
    `)
    expect(await run('apply -f -', { input: WEB })).toMatchInlineSnapshot(`
      "workload/web created
      next: drover wait --for ready workload/web
      [exit 0]"
    `)
  })

  it('names every fault of every document with its line, and sends nothing', async () => {
    const bad = await file(
      'bad.yaml',
      [
        'kind: Workload',
        'name: Web',
        'replicas: many',
        'comand: [node]',
        'health: {http: {path: /, port: http}}',
        '---',
        'kind: Pool',
        'name: p',
        'instances:',
        '  families: m7a',
        'taints:',
        '  - key: a',
        '    effect: NoExecute',
        '---',
        'kind: Wrokload',
        'name: x',
      ].join('\n'),
    )
    const worse = await file('worse.yaml', 'kind: Pool\nname: q\nlimits: {cpu: 1\nzones: []\n')
    const other = await file('other.json', '["a list"]')
    await expect(await run(`apply -f ${bad} -f ${worse} -f ${other}`)).toMatchFileSnapshot(
      './golden/apply-every-fault.txt',
    )
    expect(api.store.size()).toBe(0)
    const twice = await file('twice.yaml', `${WEB}---\n${WEB}`)
    expect(await run(`apply -f ${twice} --json`)).toMatchInlineSnapshot(`
      "! {
      !   "type": "about:blank",
      !   "title": "workload/web stands twice in the documents; nothing was sent",
      !   "code": "DoubleDocument",
      !   "detail": "workload/web stands twice in the documents; nothing was sent; keep one of them"
      ! }
      [exit 1]"
    `)
  })

  it('says which file is missing, empty or too large, and that one is needed', async () => {
    expect(await run(`apply -f ${dir}/none.yaml`)).toMatchInlineSnapshot(`
      "! error: DIR/none.yaml does not exist
      [exit 1]"
    `)
    expect(await run(`apply -f ${await file('empty.yaml', '# later\n')}`)).toMatchInlineSnapshot(`
      "! error: there is no document in DIR/empty.yaml
      ! next: see examples/ for what to write
      [exit 1]"
    `)
    expect(await run(`apply -f ${dir}/missing/`)).toMatchInlineSnapshot(`
      "! error: DIR/missing/ does not exist
      [exit 1]"
    `)
    expect(await run(`apply -f ${await file('big.yaml', `# ${'x'.repeat(1_000_000)}`)}`))
      .toMatchInlineSnapshot(`
        "! error: DIR/big.yaml has 1000002 bytes, of at most 1000000
        [exit 1]"
      `)
    expect(await run('apply')).toMatchInlineSnapshot(`
      "! error: -f is missing
      ! next: name a file, a folder, or - for input
      [exit 2]"
    `)
    await mkdir(join(dir, 'no-specs'))
    expect(await run(`apply -f ${dir}/no-specs`)).toMatchInlineSnapshot(`
      "! error: DIR/no-specs has no .yaml, .yml or .json file
      [exit 1]"
    `)
  })

  it('applies what it can when the server refuses a document, and exits 1', async () => {
    const counted = await file(
      'a.yaml',
      `${WEB}---\n${WEB.replace('web', 'new').replace('replicas: 2\n', '')}`,
    )
    expect(await run(`apply -f ${counted}`)).toMatchInlineSnapshot(`
      "workload/web created
      workload/new refused
      !   error: replicas: is needed: how many should run
      ! error: 1 of 2 documents refused; the others are applied
      ! next: mend them and apply again: what is applied stays as it is
      [exit 1]"
    `)
    expect(await run(`apply -f ${counted} --json`)).toMatch(
      /"path": "workload\/new replicas",[^]*\[exit 1\]$/,
    )
    const alone = await file('b.yaml', 'kind: Workload\nname: alone\ncommand: [x]\n')
    expect(await run(`apply -f ${alone}`)).toMatchInlineSnapshot(`
      "workload/alone refused
      ! error: replicas: is needed: how many should run
      [exit 1]"
    `)
  })

  it('ends at Ctrl-C, and calls nothing refused that was not', async () => {
    const interruption = new AbortController()
    const both = `${WEB}---\n${WEB.replace('name: web', 'name: api')}`
    const answer = await drover('apply -f -'.split(' '), api.url, {
      interruption,
      input: both,
      fetch: (input, init) => {
        if (init?.method !== 'PUT') return fetch(input, init)
        interruption.abort()
        return Promise.reject(new DOMException('This operation was aborted', 'AbortError'))
      },
    })
    expect(answer).toMatchInlineSnapshot(`
      "! error: interrupted
      [exit 130]"
    `)
  })

  it('waits with --wait and tells how far it is', async () => {
    const path = await file('web.yaml', WEB)
    const onSleep = async (_now: number, count: number): Promise<void> => {
      await setStatus(api, 'web', {
        desired: 2,
        ready: Math.min(2, count - 1),
        updated: 2,
        conditions: [condition({ type: 'Available', status: false, text: 'web/1-2 is starting' })],
      })
    }
    expect(await run(`apply -f ${path} --wait`, { onSleep })).toMatchInlineSnapshot(`
      "workload/web created
      ! workload/web not seen yet
      ! workload/web 0/2 ready (web/1-2 is starting)
      ! workload/web 1/2 ready (web/1-2 is starting)
      workload/web is ready (2/2) after 3.0s
      next: drover get workloads
      [exit 0]"
    `)
  })
})

describe('drover plan', () => {
  it('shows actions, costs and what finds no place, and changes nothing', async () => {
    await api.close()
    const reason = { code: 'Launch', text: 'two replicas of web have no place' }
    const node = { name: 'p-1-1' }
    api = await startApi({
      plan: {
        actions: [
          {
            kind: 'launch',
            launch: {
              id: '1',
              pool: 'general',
              capacityType: 'spot',
              candidates: ['m7a.large', 'c7a.large', 'm6a.large', 'r6a.large'].map(
                (instanceType) => ({
                  instanceType,
                  zone: 'us-east-1a',
                }),
              ),
              claims: [node, node],
            },
            reason,
          },
          {
            kind: 'bind',
            node: 'p-0-1',
            replica: { id: 'web/1-1', workload: 'web' },
            reason: { text: 'fits' },
          },
          {
            kind: 'bind',
            node: 'p-0-1',
            replica: { id: 'web/1-2', workload: 'web' },
            reason: { text: 'fits' },
          },
          { kind: 'advance', node: 'p-0-2', to: 'draining', changes: {}, reason: 'empty for 30 s' },
          { kind: 'stamp', node: 'p-0-2', replica: 'web/1-1', reason },
          { kind: 'something-new' },
        ],
        costUsdPerHour: {
          now: 0.1,
          after: 0.25,
          bound: 0.2,
          fleet: 0.25,
          gap: 0.25,
          ...{ leaving: 0, quarantined: 0, headroom: 0.05, testing: 0, surge: 0 },
        },
        unschedulable: [
          {
            workload: 'big',
            count: 3,
            reasons: [
              { code: 'TooLarge', text: 'needs 9 GPUs; the largest type in pool gpu has 8' },
            ],
          },
        ],
      },
    })
    const path = await file('web.yaml', WEB)
    await expect(await run(`plan -f ${path}`)).toMatchFileSnapshot('./golden/plan.txt')
    expect(api.planned).toEqual([['workload/web']])
    expect(api.store.size()).toBe(0)
  })

  it('says when there is nothing to do', async () => {
    expect(await run(`plan -f ${await file('web.yaml', WEB)}`)).toMatchInlineSnapshot(`
      "Cost now:    $0/h
      Cost after:  $0/h
      Actions:     none: everything is as it should be
      next: drover apply -f DIR/web.yaml
      [exit 0]"
    `)
  })
})

describe('drover delete', () => {
  it('deletes by name, with the near names when there is none', async () => {
    await run('apply -f -', { input: WEB })
    expect(await run('delete workload weeb')).toMatchInlineSnapshot(`
      "! error: there is no workload "weeb"
      ! next: did you mean web?
      [exit 1]"
    `)
    expect(await run('delete wl/web')).toMatchInlineSnapshot(`
      "workload/web deleting
      next: drover wait --for deleted workload/web
      [exit 0]"
    `)
    expect(await run('delete workload web --json')).toMatch(/"code": "NotFound"[^]*\[exit 1\]$/)
  })

  it('deletes what files name, users first, and does not mind what is gone already', async () => {
    const path = await file('all.yaml', `kind: Pool\nname: p\n---\n${WEB}`)
    await run(`apply -f ${path}`)
    expect(await run(`delete -f ${path} --wait`)).toMatchInlineSnapshot(`
      "workload/web deleting
      pool/p deleting
      workload/web is gone, pool/p is gone after 0.0s
      [exit 0]"
    `)
    expect(await run(`delete -f ${path}`)).toMatchInlineSnapshot(`
      "workload/web is not there
      pool/p is not there
      [exit 0]"
    `)
  })

  it('refuses to guess', async () => {
    expect(await run('delete')).toMatchInlineSnapshot(`
      "! error: nothing to delete
      ! next: drover delete workload NAME, or drover delete -f FILE
      [exit 2]"
    `)
    expect(await run('delete workload web -f x.yaml')).toMatchInlineSnapshot(`
      "! error: delete takes either KIND NAME or -f, not both
      [exit 2]"
    `)
    expect(await run('delete node general-4-1')).toMatchInlineSnapshot(`
      "! error: nodes cannot be used here
      ! next: use workloads, pools or teams
      [exit 2]"
    `)
  })
})
