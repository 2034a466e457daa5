/**
 * Who a process is: its number and the moment it was born.
 *
 * Numbers are used again. Before a file's process is killed, the one that bears its number now must
 * be shown to be the same, or a stranger dies. Linux counts a process's birth in ticks since boot,
 * so the boot's own id belongs to it.
 */
import { readFileSync } from 'node:fs'

export type ProcessIdentity = { readonly pid: number; readonly born: string }

/** Who bears this number now; undefined when nobody does, or the platform does not tell. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    // The command's name, in brackets, may hold spaces: fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, startTicks] = [fields[0], fields[19]]
    // A zombie is over: nobody has asked for its exit status yet.
    return startTicks === undefined || state === 'Z'
      ? undefined
      : { pid, born: `${boot}/${startTicks}` }
  } catch {
    return undefined
  }
}

/** True while the very process that `identity` names still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.born === identity.born
}
