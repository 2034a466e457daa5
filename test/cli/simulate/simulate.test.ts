import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drover } from '../kit.ts'

/** Nobody is asked: a replay needs no server. */
const NOWHERE = 'http://127.0.0.1:9'

const TRACE = `arrival_s,departure_s,name,replicas,cpu,memory,team
0,,web,4,500m,1Gi,
600,4000,batch,6,2,4Gi,
900,1000,short,1,1,1Gi,
1800,,api,2,1,2Gi,`

const POOLS = `kind: Pool
name: general
instances: {families: [m7a, c7a, m7i]}
`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-simulate-'))
  await writeFile(join(folder, 'trace.csv'), TRACE)
  await writeFile(join(folder, 'pools.yaml'), POOLS)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function simulate(...more: readonly string[]): Promise<string> {
  const [trace, pools] = [join(folder, 'trace.csv'), join(folder, 'pools.yaml')]
  const words = ['simulate', '--trace', trace, '--pool', pools, ...more]
  return (await drover(words, NOWHERE)).replaceAll(folder, 'FOLDER')
}

type Facts = Readonly<Record<string, number>>

async function figures(...more: readonly string[]): Promise<Facts> {
  const told = await simulate('--json', '--out', join(folder, 'again.html'), ...more)
  return JSON.parse(told.slice(told.indexOf('{'), told.lastIndexOf('}') + 1)) as Facts
}

describe('drover simulate', () => {
  it('tells what the trace would have cost, and writes the report', async () => {
    const out = join(folder, 'report.html')
    expect(await simulate('--out', out)).toMatchInlineSnapshot(`
      "! 11%: 0.3 of 3 virtual hours
      ! 22%: 0.7 of 3 virtual hours
      ! 30%: 0.9 of 3 virtual hours
      ! 41%: 1.3 of 3 virtual hours
      ! 50%: 1.5 of 3 virtual hours
      ! 61%: 1.8 of 3 virtual hours
      ! 72%: 2.2 of 3 virtual hours
      ! 80%: 2.4 of 3 virtual hours
      ! 91%: 2.8 of 3 virtual hours
      ! 100%: 3.0 of 3 virtual hours
      Time:             3h
      Workloads:        4, at most 12 replicas at once
      Cost:             $1.07, 100.0% of it for spot
      Over the bound:   142.6% on average, 241.0% at worst
      All on-demand:    $1.66; 35.6% of it is saved
      A static fleet:   $3.48; 69.2% of it is saved
      Until ready:      2m 7s for one in two, 2m 7s for 99 in 100
      Never ready:      0
      Interruptions:    0 machines taken back, 0 replicas on them
      Moved by repack:  6 replicas, 6.35 a replica and day
      Report:           FOLDER/report.html, after 0.0s
      next: open FOLDER/report.html
      [exit 0]"
    `)
    const page = await readFile(out, 'utf8')
    expect(page).toContain('What ')
    expect(page).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)=/)
  })

  it('is the same each time, and another with another seed', async () => {
    const one = await figures('--storm', '1h=50%')
    expect(await figures('--storm', '1h=50%')).toEqual(one)
    const other = await figures('--storm', '1h=50%', '--seed', '2')
    expect(other['costUsd']).not.toBe(one['costUsd'])
  })

  it('counts what a storm takes', async () => {
    expect(await figures('--for', '2h')).toMatchObject({ machinesTakenBack: 0, hours: 2 })
    const struck = await figures('--for', '2h', '--storm', '1h=100%')
    expect(struck['machinesTakenBack']).toBeGreaterThan(0)
    expect(struck['replicasInterrupted']).toBe(12)
  })

  it.each([
    [['--storm', '48h'], '--storm: "48h" is no storm'],
    [['--storm', '9h=30%'], 'a storm comes after 9 hours, of 3'],
    [['--storm', '1h=101%'], '--storm: "1h=101%" is no storm'],
    [['--for', 'ever'], '--for: "ever" is no duration'],
    [['--seed', 'x'], '"x" is no whole number'],
    [['--out', '/nowhere/report.html', '--for', '1h'], '/nowhere/report.html cannot be written'],
  ])('refuses %j', async (words, fault) => {
    expect(await simulate(...words)).toContain(fault)
  })

  it('needs pools, and takes no workload beside them', async () => {
    const trace = ['simulate', '--trace', join(folder, 'trace.csv')]
    expect(await drover(trace, NOWHERE)).toContain('--pool is missing')
    expect(await drover([...trace, '--pool', 'examples/quickstart.yaml'], NOWHERE)).toContain(
      'stands beside the pools',
    )
    const none = [
      'simulate',
      '--trace',
      join(folder, 'none.csv'),
      '--pool',
      'examples/trace/pools.yaml',
    ]
    expect(await drover(none, NOWHERE)).toContain('none.csv does not exist')
  })
})
