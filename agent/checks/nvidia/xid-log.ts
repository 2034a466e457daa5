/**
 * XIDs in the kernel's log, and what they come to.
 *
 * A line names the GPU by its place on the bus, then the code. What follows may hold the name of a
 * process, which anybody may choose, so nothing behind the code is believed but for code 154, whose
 * words are the driver's own.
 */
import { found, type Finding } from '../finding.ts'
import { busOf } from './smi-log.ts'
import {
  actionOf,
  recoveryOf,
  RECOVERY_CHANGED,
  XID_ACTIONS,
  type XidAction,
} from './xid-policy.ts'

export type Xid = {
  readonly bus: string
  readonly code: number
  readonly action: XidAction
}

const PLACE = String.raw`([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-9a-fA-F])?)`
/** With the instances of a GPU that is cut up, where it is. */
const WHERE = String.raw`\((?:PCI:)?${PLACE}(?: GPU-[A-Z]+:\d+)*\)`
const LINE = new RegExp(String.raw`^[^(]*NVRM: Xid ${WHERE}: (\d{1,4})(?:,(.*)|\s*)$`)
const OFF_THE_BUS = new RegExp(String.raw`^[^(]*NVRM: GPU ${PLACE}: GPU has fallen off the bus`)

/** Every XID of the log, oldest first. A GPU that fell off the bus without one counts as 79. */
export function xidsOf(log: readonly string[]): readonly Xid[] {
  return log.flatMap((line): Xid[] => {
    const match = LINE.exec(line)
    if (match !== null) {
      const [, place = '', digits = '', message = ''] = match
      const code = Number(digits)
      const action = code === RECOVERY_CHANGED ? recoveryOf(message) : actionOf(code)
      return [{ bus: busOf(place), code, action }]
    }
    const gone = OFF_THE_BUS.exec(line)
    return gone === null ? [] : [{ bus: busOf(gone[1] ?? ''), code: 79, action: actionOf(79) }]
  })
}

/** The XIDs of a log that count. */
export const countedXids = (log: readonly string[]): readonly Xid[] => counted(xidsOf(log))

/**
 * What the driver advises replaces what it advised before, so of 154 only the last of each GPU
 * counts.
 */
function counted(all: readonly Xid[]): readonly Xid[] {
  const last = new Map(all.map((own) => [`${own.bus}/${String(own.code)}`, own]))
  return all.filter(
    (own) => own.code !== RECOVERY_CHANGED || last.get(`${own.bus}/${String(own.code)}`) === own,
  )
}

/**
 * The worst of what the XIDs ask for. `mended`: the log before the GPUs were reset; of that, what a
 * reset mends is over.
 */
export function judgeXids(log: readonly string[], mended: readonly string[] = []): Finding {
  const before = xidsOf(mended).filter(({ action }) => !MENDED_BY_RESET.includes(action))
  const all = [...before, ...xidsOf(log)]
  const measures = { xids: all.length }
  const rank = ({ action }: Xid): number => XID_ACTIONS.indexOf(action)
  const worst = counted(all).reduce<Xid | undefined>(
    (most, own) => (most === undefined || rank(own) > rank(most) ? own : most),
    undefined,
  )
  if (worst === undefined || worst.action === 'ignore') return found('PASS', '', measures)
  const text = xidText(worst)
  if (worst.action === 'restart-app') return found('WARN', text, measures)
  const at = { bus: worst.bus }
  const finding = { ...found('FAIL', text, measures), needs: worst.action }
  return { ...finding, devices: [{ at, verdict: 'FAIL', text }] }
}

const MENDED_BY_RESET: readonly XidAction[] = ['ignore', 'restart-app', 'reset']

export const xidText = ({ code, bus, action }: Xid): string =>
  `XID ${String(code)} at ${bus}: ${WANTS[action]}`

const WANTS = {
  ignore: 'it is harmless',
  'restart-app': "a program's fault",
  reset: 'the GPU wants a reset',
  reboot: 'the machine wants a reboot',
  replace: 'the GPU wants replacing',
} as const
