/**
 * What workloads of a world serve, and behind what: some stand behind a load balancer, some have
 * data, and a few have both.
 *
 * A name keeps what it is in most of its lives. Another life has another version of its data; one
 * whose source ends in `missing/` never comes, wherever it is fetched.
 */
import type { Data } from '#shared/model/data.ts'
import type { Chance } from './chance.ts'
import type { Document } from './script.ts'

/** Few, so that workloads share them. */
export const TARGET_GROUPS = ['web', 'api', 'edge'].map(
  (name, i) =>
    `arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/${name}/${String(i)}`,
)

const MISSING = 'missing/'

/** The workload with what it serves, in one of its lives. */
export function withServing(chance: Chance, like: Document, life: number): Document {
  const { name } = like
  const of = (what: string): number => chance.of(`${name} ${what}`)
  const behind = of('behind') < 0.25 ? behindOf(chance, name, life) : {}
  if (of('data') >= 0.25) return { ...like, ...behind }
  const resources = { ...(like['resources'] as object), disk: '512Mi' }
  const served = { ...like, ...behind, resources, data: dataOf(name, life) }
  return of('crowd') < 0.3 ? crowdOf(served) : served
}

/** Now and then a life moves to another target group, or leaves its own. */
function behindOf(chance: Chance, name: string, life: number): object {
  const moves = life > 0 && chance.of(`${name} moves ${String(life)}`) < 0.2
  const group = moves ? `${name} group ${String(life)}` : `${name} group`
  const isOut = moves && chance.of(`${name} is out ${String(life)}`) < 0.4
  const service = { targetGroupArn: chance.pick(group, TARGET_GROUPS) }
  return { ports: [{ name: 'http' }], ...(isOut ? {} : { service }) }
}

const dataOf = (name: string, life: number): Data => ({
  version: `life-${String(life)}`,
  source: `s3://acme/${name}/${String(life)}/`,
})

/** More than may fetch at once. */
function crowdOf(like: Document): Document {
  const resources = { cpu: '100m', memory: '128Mi', disk: '256Mi' }
  const tolerations = (like['tolerations'] as { key: string }[]).filter(({ key }) => key !== 'gpu')
  return { ...like, replicas: 13, resources, tolerations, placement: {} }
}

/** The same with data that nobody can fetch; undefined where it has none. */
export function withoutItsData(document: Document): Document | undefined {
  const data = document['data'] as Data | undefined
  if (data === undefined) return undefined
  return { ...document, data: { ...data, source: `${data.source}${MISSING}` } }
}

export const isMissing = ({ source }: Data): boolean => source.endsWith(MISSING)

/** As a person mends it. */
export const mended = (data: Data): Data => ({
  ...data,
  source: isMissing(data) ? data.source.slice(0, -MISSING.length) : data.source,
})
