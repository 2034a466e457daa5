import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { depthOf, parseBody } from '#shared/protocol/body.ts'
import { identify, parseDocument, type DocumentContext } from '#shared/protocol/documents.ts'
import { fieldsAt, pathText } from '#shared/protocol/faults.ts'
import { editDistance, suggest } from '#shared/protocol/suggest.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'

/** Faults as lines, or the document. */
function told(
  value: unknown,
  context: DocumentContext = { noun: 'workload', name: 'web' },
): unknown {
  const parsed = parseDocument(value, context)
  if (parsed.ok) return parsed.document
  return [parsed.code, ...parsed.faults.map(({ path, message }) => `${path}: ${message}`)]
}

describe('a document', () => {
  it('becomes a spec with its defaults', () => {
    expect(told({ kind: 'Team', name: 'a', quota: { cpu: 2 } }, { noun: 'team' })).toEqual({
      noun: 'team',
      name: 'a',
      spec: { quota: { cpu: 2 }, borrow: 'existing', weight: 1, principals: [] },
    })
  })

  it('names all its faults at once, also those between fields', () => {
    const value = {
      replicas: '3',
      resources: { cpu: {}, gpu: 1.5, mem: '1Gi' },
      rollout: { maxSurge: 'x' },
      placement: { spread: 'zon', affinity: { by: 'zone', grp: 'x' } },
      capacity: { spot: 'maybe' },
      env: { '1X': 'y' },
      priority: 1e300,
      ports: [{ name: 'http' }],
      health: { tcp: { port: 'grpc' } },
    }
    expect(told(value)).toMatchInlineSnapshot(`
      [
        "Invalid",
        "priority: must be a number of a size between 1e-9 and 1000000000000, not 1e+300",
        "replicas: must be a number, not "3"",
        "capacity.spot: must be one of allowed, required, never, not "maybe"",
        "placement.spread: must be one of zone, node, or an object, not "zon"",
        "placement.affinity.group: is needed: text",
        "placement.affinity.grp: unknown field 'grp'; the fields here are by, group",
        "rollout.maxSurge: must be a count, or 0% to 100%, not "x"",
        "env["1X"]: must be like LOG_LEVEL, not "1X"",
        "resources.cpu: must be text, or a number, not {}",
        "resources.gpu: must be whole devices, like 2, or a part of one, like 500m, not 1.5",
        "resources.mem: unknown field 'mem'; the fields here are cpu, disk, gpu, memory",
        "command: is needed: say what to run with command, image, or both",
        "health.tcp.port: must name one of the ports (http)",
      ]
    `)
  })

  it('is NotYetSupported as soon as one fault is, whatever else is wrong', () => {
    expect(told({ replicas: 1, command: ['a'], secrets: {} })).toEqual([
      'NotYetSupported',
      'secrets: is not supported yet: secrets comes in a later release',
    ])
    expect(told({ secrets: {}, replicas: -1 })).toMatchObject({ 0: 'NotYetSupported', length: 4 })
  })

  it('says no to what cannot be true of a gang', () => {
    const gang = { replicas: 2, command: ['a'], gang: true }
    const rollout = { maxSurge: 1, maxUnavailable: 0 }
    const whole = 'a gang is stopped whole and then started whole'
    expect(told({ ...gang, availability: { minAvailable: 1 }, rollout })).toEqual([
      'Invalid',
      'availability.minAvailable: must be 100% or left out: a gang runs whole or not at all, not 1',
      `rollout.maxSurge: must be 0 or left out: ${whole}, not 1`,
      `rollout.maxUnavailable: must be 100% or left out: ${whole}, not 0`,
    ])
    expect(told({ ...gang, replicas: 2_001 })).toEqual([
      'Invalid',
      'replicas: must be at most 2000 with gang, not 2001',
    ])
    expect(told({ ...gang, gang: false, gangDeadlineSeconds: 60 })).toEqual([
      'Invalid',
      'gangDeadlineSeconds: is of no use without gang: true',
    ])
    expect(told({ ...gang, gang: { restart: 'some' } })).toEqual([
      'Invalid',
      'gang.restart: must be one of all, member, not "some"',
    ])
    expect(told({ ...gang, gang: 'yes' })).toEqual([
      'Invalid',
      'gang: must be true or false, or an object, not "yes"',
    ])
  })

  it('must be an object that agrees with its path', () => {
    expect(told([])).toEqual(['Invalid', ': must be a document, which is an object, not []'])
    expect(told({ kind: 'workload', name: 'x', replicas: 1, command: ['a'] })).toEqual([
      'Invalid',
      'kind: must be Workload here, not "workload"',
      'name: must be web as in the path, not "x"',
    ])
  })

  it('is found out by its kind and name where no path says them', () => {
    expect(identify({ kind: 'Pool', name: 'general' })).toMatchObject({ ok: true, noun: 'pool' })
    expect(identify({ kind: 'workload' })).toEqual({
      ok: false,
      faults: [
        {
          path: 'kind',
          message:
            'must be one of Workload, Pool, Team, not "workload"; did you mean \'Workload\'?',
        },
        { path: 'name', message: 'is needed: text' },
      ],
    })
    expect(identify({ kind: '__proto__', name: 'a' })).toMatchObject({ ok: false })
  })

  it('may not make its template too large', () => {
    const env = { A: 'x'.repeat(LIMITS.templateMaxBytes) }
    const [, fault] = told({ replicas: 1, command: ['a'], env }) as string[]
    expect(fault).toMatch(/^env: makes the template too large: it must have at most 16384 bytes/)
  })
})

describe('a body', () => {
  it('is measured for depth outside of strings', () => {
    expect(depthOf('{"a":[1,{"b":"[[["}]}')).toBe(3)
    expect(depthOf('"\\"[["')).toBe(0)
    expect(depthOf('')).toBe(0)
  })

  it('is UTF-8 JSON of bounded depth, or says what it is', () => {
    const parse = (text: string): unknown => parseBody(new TextEncoder().encode(text))
    expect(parse('{"a":1,"a":2}')).toEqual({ ok: true, value: { a: 2 } })
    expect(parse(' ')).toEqual({ ok: true, value: undefined })
    expect(parse('{')).toMatchObject({ ok: false, fault: { code: 'MalformedJson' } })
    expect(parse('['.repeat(33))).toMatchObject({ ok: false, fault: { code: 'TooDeep' } })
    expect(parse('['.repeat(32) + ']'.repeat(32))).toMatchObject({ ok: true })
  })
})

describe('suggestions', () => {
  it('count insertions, deletions, substitutions and swaps', () => {
    expect(editDistance('replica', 'replicas')).toBe(1)
    expect(editDistance('comand', 'command')).toBe(1)
    expect(editDistance('evn', 'env')).toBe(1)
    expect(editDistance('', 'abc')).toBe(3)
    expect(editDistance('kitten', 'sitting')).toBe(3)
  })

  it('are made only where something near is known', () => {
    const known = ['replicas', 'command', 'env']
    expect(suggest('Replica', known)).toBe('replicas')
    expect(suggest('evn', known)).toBe('env')
    expect(suggest('metadata', known)).toBeUndefined()
    expect(suggest('x'.repeat(100_000), known)).toBeUndefined()
    expect(suggest('x', [])).toBeUndefined()
  })
})

describe('paths', () => {
  it('read as a person would write them', () => {
    expect(pathText(['ports', 0, 'name'])).toBe('ports[0].name')
    expect(pathText(['labels', 'a/b', 'c'])).toBe('labels["a/b"].c')
    expect(pathText([])).toBe('')
  })

  it('lead to the fields known there, through lists and unions', () => {
    expect(fieldsAt(workloadSpecSchema, ['ports', 0])).toEqual(['name', 'containerPort'])
    expect(fieldsAt(workloadSpecSchema, ['placement', 'spread'])).toEqual(['by', 'group'])
    expect(fieldsAt(workloadSpecSchema, ['nothing', 'here'])).toEqual([])
  })
})
