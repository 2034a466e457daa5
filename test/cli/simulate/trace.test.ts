import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CliError, linesOf } from '#cli/errors.ts'
import { parseTrace } from '#cli/simulate/trace.ts'
import { LIMITS } from '#shared/model/limits.ts'

const parse = (text: string) => parseTrace({ name: 'work.csv', text })

/** What a person would read of it. */
function refusal(text: string): string {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof CliError) return linesOf(error).join('\n')
    throw error
  }
  throw new Error('it was accepted')
}

describe('a trace', () => {
  it('is read in order of arrival, with what each row says', () => {
    const rows = parse(
      [
        'Arrival_s,lifetime_s,name,replicas,cpu,memory,gpu,team,priority,preemptible,spot',
        '7200,60.5,batch-1,3,2,4Gi,1,red,5,true,required',
        '0,,web,,500m,1Gi,,,,,',
      ].join('\n'),
    )
    expect(rows.map(({ document: _, ...own }) => own)).toEqual([
      { name: 'web', arrivesMs: 0, leavesMs: undefined, replicas: 1 },
      { name: 'batch-1', arrivesMs: 7_200_000, leavesMs: 7_260_500, replicas: 3 },
    ])
    expect(rows[1]?.document.spec).toMatchObject({
      ...{ team: 'red', priority: 5, preemptible: true, capacity: { spot: 'required' } },
      resources: { cpu: '2', memory: '4Gi', gpu: '1' },
    })
  })

  it('has an example that is read', () => {
    const text = readFileSync('examples/trace/work.csv', 'utf8')
    expect(parse(text).length).toBeGreaterThan(100)
  })

  it('names rows that have no name by their lines', () => {
    expect(parse('arrival_s,cpu\n0,1\n\n5,2').map((own) => own.name)).toEqual(['line-2', 'line-4'])
  })

  it('tells every fault at once, with its line', () => {
    const text = [
      'arrival_s,departure_s,name,replicas,cpu,preemptible',
      '0,10,web,1,1,true',
      'soon,10,db,many,1x,true',
      '20,10,api,1,1,maybe',
      ',10,web,1,1,true',
    ].join('\n')
    expect(refusal(text)).toMatchInlineSnapshot(`
      "error: 7 faults in work.csv
        work.csv:3: arrival_s: "soon" is not in seconds from 0 to 315360000
        work.csv:3: replicas: must be a number, not "many"
        work.csv:3: resources.cpu: must be CPUs, like 2, 0.5 or 500m, not "1x"
        work.csv:4: it leaves before it arrives
        work.csv:4: preemptible: must be true or false, not "maybe"
        work.csv:5: arrival_s: is needed
        work.csv:5: name: web stands in line 2 already
      next: mend them and run the command again"
    `)
  })

  it('tells the first of many faults and how many are left', () => {
    const rows = Array.from({ length: 50 }, () => '0,-1')
    const told = refusal(['arrival_s,departure_s', ...rows].join('\n'))
    expect(told).toContain('50 faults in work.csv')
    expect(told.match(/work\.csv:\d+/g)).toHaveLength(LIMITS.traceFaultsShown)
    expect(told).toContain('and 30 more like these')
  })

  it.each([
    ['', 'work.csv has no row'],
    ['arrival_s,cpu', 'work.csv has no row'],
    ['cpu,memory\n1,1Gi', 'work.csv has no column arrival_s'],
    ['arrival_s,cpus\n0,1', 'work.csv has a column that nobody knows: cpus'],
    ['arrival_s,cpu\n0,1,2', 'work.csv is no CSV: Invalid Record Length'],
    ['arrival_s,cpu\n0,"1', 'work.csv is no CSV: Quote Not Closed'],
  ])('refuses %j', (text, fault) => {
    expect(refusal(text)).toContain(fault)
  })
})
