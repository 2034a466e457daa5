/**
 * Silence is not death: a node is written lost only when somebody else confirms it.
 *
 * Judged on the scan, the listing and the status checks of the very pass that wrote so. Its own
 * silence counts from the last beat, from the machine's launch and from the start of coverage,
 * whichever is latest.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Node } from '#shared/model/node.ts'
import { keys } from '#shared/store/keys.ts'
import type { Caller } from '../traffic.ts'
import { kindOf, nodeOf } from './items.ts'
import type { OpenPass } from './passes.ts'
import { CLOCK_SLACK_MS, firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan } from './scan.ts'

const RULE = 'silence is not death'
const WATCHED: ReadonlySet<string> = new Set(['testing', 'ready', 'draining'])
const SHARE = 0.2

export function makeSilence({ truth, passes }: Knowledge): Rule {
  const judge = (name: string, by: Caller): Breach | undefined => {
    const pass = passes.of(by)
    const scan = pass?.scan
    const node = scan?.node(name)
    const text =
      pass === undefined || scan === undefined || node === undefined
        ? 'the pass had not read it'
        : whyNotLost(node, { pass, scan, lostAfterMs: truth.lostAfterMs })
    if (text === undefined) return undefined
    return { rule: RULE, text: `${by.label} wrote that ${name} is lost: ${text}` }
  }
  return {
    see: {
      write: ({ by, changes }) =>
        firstOf(changes, ({ key, before, after }) => {
          if (kindOf(key) !== 'node') return undefined
          const isNew =
            nodeOf(before)?.lostSinceMs === undefined && nodeOf(after)?.lostSinceMs !== undefined
          return isNew ? judge(key.sk, by) : undefined
        }),
    },
  }
}

type Reading = { readonly pass: OpenPass; readonly scan: Scan; readonly lostAfterMs: number }

function whyNotLost(node: Node, reading: Reading): string | undefined {
  const { pass, scan, lostAfterMs } = reading
  if (node.burnIn?.reboot !== undefined) return 'it is being rebooted'
  const quiet = quietMs(node, reading)
  if (quiet + CLOCK_SLACK_MS <= lostAfterMs) {
    return `it was silent for ${String(quiet)} ms of ${String(lostAfterMs)}`
  }
  const watched = scan.nodes().filter((own) => isWatched(own, reading))
  const silent = watched.filter((own) => quietMs(own, reading) > lostAfterMs + CLOCK_SLACK_MS)
  const most = Math.max(1, SHARE * watched.length)
  if (silent.length > most) {
    return `${String(silent.length)} of ${String(watched.length)} were silent at once`
  }
  const id = node.machine?.instanceId ?? ''
  if (pass.impaired.has(id)) return undefined
  const state = pass.listing?.get(id)?.state
  if (state !== undefined && state !== 'pending' && state !== 'running') return undefined
  const others = watched.filter((own) => own.name !== node.name)
  const near = others.filter(
    (own) => own.pool === node.pool && own.machine?.zone === node.machine?.zone,
  )
  const witnesses = near.length > 0 ? near : others
  if (witnesses.length === 0) {
    const aloneMs = LIMITS.lostAloneFactor * lostAfterMs
    if (quiet + CLOCK_SLACK_MS > aloneMs) return undefined
    return `it was alone and silent for ${String(quiet)} ms of ${String(aloneMs)}`
  }
  const heard = witnesses.filter((own) => !silent.includes(own)).length
  if (heard * 2 > witnesses.length) return undefined
  return `${String(heard)} of its ${String(witnesses.length)} witnesses had beaten`
}

function quietMs({ machine }: Node, { pass, scan }: Reading): number {
  const beatAtMs = scan.beatAtMs(machine?.arn ?? '') ?? 0
  const coveredSinceMs = pass.taken?.coveredSinceMs ?? 0
  const nowMs = pass.taken?.startedAtMs ?? scan.atMs
  return nowMs - Math.max(beatAtMs, coveredSinceMs, machine?.launchedAtMs ?? 0)
}

/** Its agent is known to be there, nobody reboots it, and EC2 has not said that it ends. */
function isWatched({ phase, machine, burnIn }: Node, { pass, scan }: Reading): boolean {
  if (machine === undefined || !WATCHED.has(phase) || burnIn?.reboot !== undefined) return false
  const listed = pass.listing?.get(machine.instanceId)?.state
  const signal = scan.get(keys.signal(machine.instanceId))?.['state'] as
    { value?: string } | undefined
  return ![listed, signal?.value].some(
    (state) => state === 'shutting-down' || state === 'stopped' || state === 'terminated',
  )
}
