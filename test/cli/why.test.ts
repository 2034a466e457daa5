import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { workloadStatusSchema } from '#shared/model/status.ts'
import { keys } from '#shared/store/keys.ts'
import { setStatus, settleHerd } from './herd.ts'
import { drover, NOW_MS, startApi, type Api, type RunOptions } from './kit.ts'

let api: Api
beforeEach(async () => {
  api = await startApi()
})
afterEach(async () => {
  await api.close()
})

const run = (line: string, options?: RunOptions): Promise<string> =>
  drover(line.split(' '), api.url, options)

const web = (more: string): string =>
  `kind: Workload\nname: web\nreplicas: 2\ncommand: [node, web.mjs]\n${more}`

/** Adds to reconcile's word on a workload. */
async function addToStatus(name: string, more: object): Promise<void> {
  const key = keys.status('workload', name)
  const item = must(await api.store.get(key), `status of ${name}`)
  workloadStatusSchema.parse({ ...item, ...more })
  await api.put({ ...item, ...more })
}

describe('drover explain', () => {
  beforeEach(async () => {
    await drover(['apply', '-f', 'test/cli/herd.yaml'], api.url)
    await settleHerd(api)
    const times = { sinceMs: NOW_MS - 900_000, lastMs: NOW_MS - 50_000 }
    const row = { replica: 'worker/4-4', version: 'v1', node: 'general-4-1', count: 4 }
    await addToStatus('worker', { failures: [{ ...row, ...times }] })
  })

  it('tells of a workload what fails, and whose fault it is', async () => {
    expect(await run('explain worker')).toMatchInlineSnapshot(`
      "workload/worker has no replicas, and wants none

      Failures
        VERSION  NODE         REPLICAS  TIMES  LAST  BLAME    WHY
        v1       general-4-1         1      4   50s  Unclear  too little is known to blame either
      [exit 0]"
    `)
  })

  it('tells of a node why it is as it is, and what fails there', async () => {
    const told = await run('explain node general-4-1')
    expect(told).toMatchInlineSnapshot(`
      "Node:   general-4-1
      Phase:  ready

      Why
        REASON        TEXT
        BurnInPassed  the node is ready (for 8 min)

      Replicas
        REPLICA     PHASE  REASON  TEXT
        web/4-2     ready  Ready   bound to general-4-1 9 min ago, ready
        worker/4-4  ready  Exited  it last ended 50 s ago with code 1: exited (2 restarts)
                           Ready   bound to general-4-1 9 min ago, ready

      Failures
        WORKLOAD  VERSION  REPLICAS  TIMES  LAST  BLAME    WHY
        worker    v1              1      4   50s  Unclear  too little is known to blame either
      [exit 0]"
    `)
    expect(await run('explain node/general-4-1')).toBe(told)
    expect(await run('explain node general-4')).toContain('did you mean general-4-1')
  })

  it('knows workloads and nodes, and nothing else', async () => {
    expect(await run('explain pool general')).toMatchInlineSnapshot(`
      "! error: pools cannot be used here
      ! next: use workloads or nodes
      [exit 2]"
    `)
    expect(await run('explain workload/worker')).toBe(await run('explain worker'))
  })
})

describe('drover rollout history', () => {
  it('lists the versions that are kept, with what each changed', async () => {
    await run('apply -f -', { input: web('env: {LEVEL: info}') })
    await run('apply -f -', { input: web('resources: {cpu: 2}') })
    expect(await run('rollout history web')).toMatchInlineSnapshot(`
      "REVISION  VERSION       AGE  STATE   CHANGES
             1  a-version-id   0s  -       the oldest that is kept
             2  a-version-id   0s  active  env.LEVEL info (gone); resources.cpu 100m → 2
      [exit 0]"
    `)
    const { items } = JSON.parse((await run('rollout history web --json')).replace('[exit 0]', ''))
    expect(items).toHaveLength(2)
    expect(await run('rollout history wbe')).toContain('did you mean web?')
  })
})

describe('drover rollout status', () => {
  const counts = { desired: 2, ready: 2, updated: 2 }
  const rollout = (ready: number, old: number): object => ({
    rollout: {
      ...{ active: 'v2', stable: 'v1', ready, mostReady: ready, old },
      ...{ startedAtMs: NOW_MS - 60_000, lastProgressAtMs: NOW_MS - 5_000 },
    },
  })
  beforeEach(async () => {
    await run('apply -f -', { input: web('') })
    await setStatus(api, 'web', counts)
  })

  it('is done only once the new version is ready and nothing older runs', async () => {
    await addToStatus('web', rollout(1, 1))
    expect(await run('rollout status web')).toMatchInlineSnapshot(`
      "Workload:  web
      State:     starting
      Version:   a-version-id
      Before:    v1, the proven one
      Started:   60s ago
      Progress:  last 5s ago
      Roll-out:  [███████████████···············] 1 of 2 new, 1 old
      Updated:   2/2
      Ready:     2/2
      ! error: workload/web: the roll-out is not complete: 1 of 2 are ready at the newest version
      ! next: drover rollout status web --wait
      [exit 1]"
    `)
    await addToStatus('web', rollout(2, 1))
    expect(await run('rollout status web')).toMatch(
      /complete: 1 of older versions still run[^]*\[exit 1\]$/,
    )
    await addToStatus('web', rollout(2, 0))
    expect(await run('rollout status web')).toMatch(/State: +ready[^]*\[exit 0\]$/)
  })

  it('says what waits, what failed, and what a person has done about it', async () => {
    const told = async (more: object): Promise<string> => {
      const { rollout: own } = rollout(1, 1) as { rollout: object }
      await addToStatus('web', { rollout: { ...own, ...more } })
      return (await run('rollout status web'))
        .split('\n')
        .filter((line) => /^(State|On its way|Undone|Paused|Failed)/.test(line))
        .join('\n')
    }
    expect(await told({ pending: 'v3' })).toMatchInlineSnapshot(`
      "State:       starting
      On its way:  v2; v3 waits for it"
    `)
    const failed = { code: 'TooManyFailures', text: '3 replicas of version v2 failed' }
    expect(await told({ failed: { ...failed, atMs: NOW_MS - 60_000 } })).toMatchInlineSnapshot(`
      "State:     halted
      Failed:    3 replicas of version v2 failed (60s ago)"
    `)
    expect(await told({ pausedSinceMs: NOW_MS })).toMatchInlineSnapshot(`
      "State:     paused
      Paused:    a person holds it"
    `)
    expect(await told({ undone: 'v9' })).toMatchInlineSnapshot(`
      "State:     starting
      Undone:    v9; v2 runs instead"
    `)
  })

  it('tells machines so too', async () => {
    await addToStatus('web', rollout(0, 2))
    const told = await run('rollout status web --json')
    expect(told).toContain('"code": "RolloutIncomplete"')
    expect(told).toMatch(/\[exit 1\]$/)
  })

  it('waits for the last of the old ones where it is asked to', async () => {
    await addToStatus('web', rollout(2, 1))
    const onSleep = async (_now: number, count: number): Promise<void> => {
      if (count === 2) await addToStatus('web', rollout(2, 0))
    }
    const told = await run('rollout status web --wait', { onSleep })
    expect(told).toContain('! workload/web 2/2 ready, 1 old')
    expect(told).toContain('workload/web is complete (2/2) after 2.0s')
    expect(told).toMatch(/\[exit 0\]$/)
  })
})
