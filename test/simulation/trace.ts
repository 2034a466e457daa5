/**
 * A world as lines of text: each act with its virtual time, nothing that differs from run to run.
 */
import { targetKey } from '#shared/model/service.ts'
import type { Write } from '#shared/store/store.ts'
import type { Step } from './script.ts'
import type { Seen, SeenOf } from './traffic.ts'

export type Tracer = {
  see(seen: Seen): void
  step(atMs: number, step: Step): void
  line(atMs: number, text: string): void
}

export function makeTracer(write: (line: string) => void, startMs: number): Tracer {
  const line = (atMs: number, text: string): void => {
    write(`+${((atMs - startMs) / 1000).toFixed(3)} ${text}`)
  }
  return {
    line,
    step: (atMs, { kind, atMs: _, ...rest }) => {
      line(atMs, `step ${kind} ${JSON.stringify(rest)}`)
    },
    see: (seen) => {
      line(seen.atMs, describe(seen))
    },
  }
}

type Tellers = { readonly [K in Seen['kind']]: (seen: SeenOf<K>) => string }

const tellers: Tellers = {
  begun: ({ by }) => `${by.label} begins`,
  over: ({ by, how }) => `${by.label} ${how}`,
  scan: ({ by, items }) => `${by.label} reads ${String(items.length)} items`,
  write: ({ by, writes, changes }) =>
    `${by.label} writes ${writes.map(describeWrite).join(' ')} (${String(changes.length)} changes)`,
  launch: ({ by, request, outcome, born }) =>
    `${by.label} launches ${String(request.count)} ${request.capacityType} ` +
    `${request.token.slice(0, 8)}: ${outcome.outcome}, born ${born.join(' ')}`,
  terminate: ({ by, instanceIds }) => `${by.label} terminates ${instanceIds.join(' ')}`,
  reboot: ({ by, instanceIds }) => `${by.label} reboots ${instanceIds.join(' ')}`,
  list: ({ by, instances }) => `${by.label} lists ${String(instances.length)} instances`,
  impaired: ({ by, instanceIds }) => `${by.label} hears impaired ${instanceIds.join(' ')}`,
  balance: ({ by, what, targets }) => `${by.label} ${what}s ${targets.map(targetKey).join(' ')}`,
  targets: ({ by, targetGroupArn, targets }) =>
    `${by.label} hears of ${targetGroupArn.slice(-5)} ` +
    targets.map((own) => `${targetKey(own)} ${own.state}`).join(' '),
  decided: ({ by, events }) =>
    events.map((own) => `${by.label} ${own.object} ${own.reason}: ${own.text}`).join('\n  '),
  process: ({ instanceId, replicaId, what }) => `process ${replicaId} on ${instanceId} ${what}`,
}

function describe<K extends Seen['kind']>(seen: SeenOf<K>): string {
  return (tellers[seen.kind as K] as (seen: SeenOf<K>) => string)(seen)
}

function describeWrite(write: Write): string {
  const { pk, sk } = write.kind === 'put' ? write.item : write.key
  return `${write.kind}:${pk}/${sk}`
}
