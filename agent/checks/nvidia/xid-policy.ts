/**
 * What an XID, the driver's number for an error in the kernel's log, asks for.
 *
 * The table is NVIDIA's catalogue of 2025-10-29, in the column of what to do at once. NVIDIA and
 * EC2 disagree about some, and each of those says which of them drover follows. A code that is not
 * here is recorded and shown.
 *
 * Sources: NVIDIA Xid Catalog; "Troubleshoot Xid errors" in the EC2 user guide; the fatal list of
 * the EKS node monitoring agent.
 */
export type XidAction = 'ignore' | 'restart-app' | 'reset' | 'reboot' | 'replace'

/** From harmless to worst. */
export const XID_ACTIONS: readonly XidAction[] = [
  'ignore',
  'restart-app',
  'reset',
  'reboot',
  'replace',
]

const RESTART_APP = [
  8, 11, 13, 25, 31, 32, 39, 40, 41, 60, 66, 68, 69, 70, 71, 72, 75, 76, 77, 80, 82, 83, 84, 85, 86,
  88, 89, 94, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 126, 127, 128, 129, 130, 131, 132, 133,
  134, 135, 139,
]

const RESET = [46, 48, 62, 64, 95, 109, 110, 119, 120, 136, 140, 143, 155, 156, 158]

const SPECIAL: ReadonlyMap<number, XidAction> = new Map([
  // A remapped row: NVIDIA says ignore, EC2 recommends to replace the instance, EKS calls it fatal.
  // It takes effect at the next reset, and until then the bad row is in use: reset.
  [63, 'reset'],
  // NVLink: NVIDIA has a workflow that reads registers; on a cloud nobody can touch the link.
  [74, 'replace'],
  // Fallen off the bus: NVIDIA restarts the machine, EC2 the instance.
  [79, 'reboot'],
  // The power cable is not connected; nobody here can connect it.
  [54, 'replace'],
  [142, 'replace'],
  [151, 'reboot'],
  // Reduced memory: NVIDIA says that the boot is tried again.
  [168, 'reboot'],
])

const RESTART_APPS: ReadonlySet<number> = new Set(RESTART_APP)
const RESETS: ReadonlySet<number> = new Set(RESET)

/** What the code asks for, whatever else its line says. */
export function actionOf(code: number): XidAction {
  const special = SPECIAL.get(code)
  if (special !== undefined) return special
  if (RESETS.has(code)) return 'reset'
  return RESTART_APPS.has(code) ? 'restart-app' : 'ignore'
}

/** 154 tells what the driver advises from now on: a number, whatever words stand beside it. */
export const RECOVERY_CHANGED = 154

const RECOVERY_ACTIONS: readonly XidAction[] = ['ignore', 'reset', 'reboot', 'reset', 'reset']

/** `GPU recovery action changed from 0x0 (None) to 0x2 (OS Reboot)`; unknown ones are the worst. */
export function recoveryOf(message: string): XidAction {
  const match = /changed from 0x[0-9a-f]+ \([^)]*\) to 0x([0-9a-f]+)/i.exec(message)
  if (match === null) return 'replace'
  return RECOVERY_ACTIONS[Number.parseInt(match[1] ?? '', 16)] ?? 'replace'
}
