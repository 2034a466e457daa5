/**
 * What makes a version, and what does not: every field of the template does, no policy does, and
 * neither does another way of writing the same.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { templateOf, versionOf, type Template } from '#shared/model/version.ts'
import { templateShape, workloadSpecSchema } from '#shared/model/workload.ts'

type Document = Readonly<Record<string, unknown>>

const versionFor = (document: Document): string =>
  versionOf(templateOf(workloadSpecSchema.parse(document)))

const groupNamed = (name: string): string =>
  `arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/${name}/1`

/** Two values of each field of the template, of which the first is never the default. */
const TEMPLATE: Readonly<Record<string, readonly [unknown, unknown]>> = {
  image: ['web:1', 'web:2'],
  command: [['serve'], ['serve', '-v']],
  env: [{ A: 'a', B: 'b' }, { A: 'b' }],
  resources: [{ cpu: '700m', memory: '1Gi', gpu: 1 }, { cpu: '800m' }],
  ports: [
    [{ name: 'http', containerPort: 80 }, { name: 'grpc' }],
    [{ name: 'http' }, { name: 'grpc', containerPort: 90 }],
  ],
  health: [
    { http: { port: 'http', path: '/ok' }, timeoutSeconds: 2 },
    { tcp: { port: 'http' }, failureThreshold: 5 },
  ],
  service: [{ targetGroupArn: groupNamed('blue') }, { targetGroupArn: groupNamed('green') }],
  data: [
    { version: '1', source: 's3://acme/1/' },
    { version: '2', source: 's3://acme/1/' },
  ],
  terminationGraceSeconds: [7, 9],
}

/** Each policy with a value that is not its default. */
const POLICY: Document = {
  team: 'red',
  replicas: 7,
  priority: 3,
  preemptible: true,
  capacity: { spot: 'never', onDemandBase: 2 },
  placement: { zones: ['us-east-1a'], spread: 'zone' },
  tolerations: [{ key: 'gpu' }],
  rollout: { maxSurge: 3, minReadySeconds: 9, bakeSeconds: 60 },
  availability: { minAvailable: '50%' },
  dependsOn: ['db'],
}

/** What no release stores yet. */
const NOT_YET_TEMPLATE: Document = { secrets: { KEY: 'arn:aws:secretsmanager:x' } }

/** Policies as well, which contradict some of the others and so are tried without them. */
const GANG: Document = { gang: { restart: 'member' }, gangDeadlineSeconds: 60 }
const SCALE: Document = { scale: { max: 3, metrics: [{ type: 'cpu', targetPercent: 60 }] } }

const pick = (fields: Document) => (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, fields[name]]))

const firsts = Object.fromEntries(Object.entries(TEMPLATE).map(([name, [own]]) => [name, own]))
const NEEDED = ['image', 'ports']

/** A document with some of the template's fields and some policies. */
const documents = fc
  .record({
    fields: fc.subarray(Object.keys(TEMPLATE)).map((own) => [...new Set([...NEEDED, ...own])]),
    policies: fc.subarray(Object.keys(POLICY)),
  })
  .map(({ fields, policies }) => ({ ...pick(firsts)(fields), ...pick(POLICY)(policies) }))

/** The same value with the keys of every object in another order. */
function shuffled(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((own) => shuffled(own, seed))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, own]) => [key, shuffled(own, seed)] as const)
  const from = entries.length === 0 ? 0 : seed % entries.length
  return Object.fromEntries([...entries.slice(from), ...entries.slice(0, from)].reverse())
}

describe('a version', () => {
  it('knows every field that a workload can have as template or as policy', () => {
    const template = [...Object.keys(TEMPLATE), ...Object.keys(NOT_YET_TEMPLATE)]
    expect(template.sort()).toEqual(Object.keys(templateShape).sort())
    const policy = [POLICY, GANG, SCALE].flatMap(Object.keys)
    expect([...template, ...policy].sort()).toEqual(Object.keys(workloadSpecSchema.shape).sort())
  })

  it('changes with each field of the template', () => {
    fc.assert(
      fc.property(documents, fc.constantFrom(...Object.keys(TEMPLATE)), (document, field) => {
        const [first, second] = TEMPLATE[field] ?? []
        const one = versionFor({ ...document, [field]: first })
        expect(versionFor({ ...document, [field]: second })).not.toBe(one)
        if (!NEEDED.includes(field)) {
          const { [field]: _, ...without } = document as Document
          expect(versionFor(without)).not.toBe(one)
        }
      }),
    )
  })

  it('changes with secrets, which no spec may have yet', () => {
    const template = templateOf(workloadSpecSchema.parse({ image: 'web:1' }))
    const secret = { ...template, ...NOT_YET_TEMPLATE } as Template
    expect(versionOf(secret)).not.toBe(versionOf(template))
  })

  it('changes with no policy', () => {
    fc.assert(
      fc.property(documents, fc.constantFrom(...Object.keys(POLICY)), (document, field) => {
        const { [field]: _, ...without } = document as Document
        expect(versionFor({ ...without, [field]: POLICY[field] })).toBe(versionFor(without))
      }),
    )
  })

  it('does not change by making a gang of the same, or scaling it', () => {
    const plain = pick(firsts)(Object.keys(TEMPLATE))
    expect(versionFor({ ...plain, ...GANG })).toBe(versionFor(plain))
    expect(versionFor({ ...plain, ...SCALE })).toBe(versionFor(plain))
  })

  it('does not hang on the order of keys, nor on defaults spelt out', () => {
    fc.assert(
      fc.property(documents, fc.nat(20), (document, seed) => {
        const version = versionFor(document)
        expect(versionFor(shuffled(document, seed) as Document)).toBe(version)
        const spelt = workloadSpecSchema.parse(document)
        expect(versionFor(shuffled(spelt, seed) as Document)).toBe(version)
      }),
    )
  })

  it('does not change by naming the port that a service has anyway', () => {
    const of = (port: object): string =>
      versionFor({
        image: 'web:1',
        ports: [{ name: 'http' }, { name: 'grpc' }],
        service: { targetGroupArn: groupNamed('blue'), ...port },
      })
    expect(of({ port: 'http' })).toBe(of({}))
    expect(of({ port: 'grpc' })).not.toBe(of({}))
  })

  it('counts quantities, however they are written', () => {
    const of = (resources: Document): string => versionFor({ image: 'web:1', resources })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9_999 }), fc.integer({ min: 1, max: 999 }), (m, gi) => {
        const one = of({ cpu: `${String(m)}m`, memory: `${String(gi)}Gi`, gpu: '500m' })
        const cpu = m / 1000
        expect(of({ cpu, memory: `${String(gi * 1024)}Mi`, gpu: 0.5 })).toBe(one)
        expect(of({ cpu: `${String(m + 1)}m`, memory: `${String(gi)}Gi`, gpu: 0.5 })).not.toBe(one)
      }),
    )
    expect(of({ cpu: '100m', memory: '128Mi', gpu: '0' })).toBe(versionFor({ image: 'web:1' }))
  })
})
