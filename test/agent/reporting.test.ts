import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import type { Report, ReportedReplica } from '#shared/model/report.ts'
import { thinReport } from '#agent/reporting.ts'

const lastExit = { code: 1, reason: 'x'.repeat(190), atMs: 1 }
const replica = (phase: ReportedReplica['phase'], names: number): ReportedReplica => ({
  id: `web/1-${phase}`,
  version: 'v1',
  phase,
  ready: phase === 'ready',
  restarts: 0,
  addresses: Object.fromEntries(
    Array.from({ length: names }, (_, index) => [`p${String(index)}`, `10.0.0.1:${String(index)}`]),
  ),
  gpus: [],
  lastExit,
})
const report = (replicas: ReportedReplica[]): Report => ({
  kind: 'report',
  arn: 'arn',
  bootId: 'boot-1',
  sequence: 1,
  agentVersion: '0',
  observedGeneration: 1,
  runtimes: ['process'],
  replicas,
  atMs: 0,
})
const kept = (thin: Report): string[] =>
  thin.replicas.map((own) =>
    [
      own.phase,
      `exit=${String(own.lastExit !== undefined)}`,
      `ports=${String(Object.keys(own.addresses).length)}`,
    ].join(' '),
  )

describe('a report that outgrows its item', () => {
  const full = report([replica('ready', 5), replica('failed', 5)])
  const bytes = Buffer.byteLength(JSON.stringify(full))

  it.each([
    [0, ['ready exit=true ports=5', 'failed exit=true ports=5']],
    [1, ['ready exit=false ports=5', 'failed exit=true ports=5']],
    [260, ['ready exit=false ports=5', 'failed exit=false ports=5']],
    [500, ['ready exit=false ports=5', 'failed exit=false ports=0']],
    [620, ['ready exit=false ports=0', 'failed exit=false ports=0']],
  ])('with %i bytes too many keeps what people need most', (over, expected) => {
    expect(kept(thinReport(full, bytes - over))).toEqual(expected)
  })

  it('fits, however many replicas and ports a node has', () => {
    const many = Array.from({ length: 700 }, () => replica('ready', 20))
    const thin = thinReport(report(many))
    expect(Buffer.byteLength(JSON.stringify(thin))).toBeLessThanOrEqual(LIMITS.reportMaxBytes)
    expect(thin.replicas).toHaveLength(LIMITS.replicasPerNodeMax * 2)
  })
})
