/**
 * What a drover takes of the machine it runs on, read from /proc while it runs.
 *
 * From outside on purpose: a leak is what the system holds for a process, whatever the process
 * believes. Memory is resident memory, so pages that processes share count for each of them.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { processesOf } from '#local/demo/processes-of.ts'
import { medianOf } from '../measure/quantiles.ts'

export type Sample = {
  readonly droverMib: number
  readonly droverFds: number
  readonly droverPorts: number
  readonly engineMib: number
  readonly agents: number
  readonly agentsMib: number
  /** Of one agent, the median. */
  readonly agentMib: number
}

/** Undefined when drover or its engine is not there to be looked at. */
export function takeSample(stateDirectory: string, droverPid: number): Sample | undefined {
  const processes = processesOf(stateDirectory)
  const engine = processes.find(({ command }) => command.includes('--db-path'))
  const droverMib = residentMib(droverPid)
  const engineMib = engine === undefined ? undefined : residentMib(engine.pid)
  if (droverMib === undefined || engineMib === undefined) return undefined
  const agents = processes
    .filter(({ command }) => command.includes('agent/main.ts'))
    .flatMap(({ pid }) => residentMib(pid) ?? [])
  return {
    ...{ droverMib, engineMib },
    droverFds: descriptorsOf(droverPid).length,
    droverPorts: listeningPortsOf(droverPid).length,
    agents: agents.length,
    agentsMib: agents.reduce((sum, mib) => sum + mib, 0),
    agentMib: agents.length === 0 ? 0 : medianOf(agents),
  }
}

/** The ports on which the process takes connections. */
export function listeningPortsOf(pid: number): readonly number[] {
  const inodes = new Set(
    descriptorsOf(pid).flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []),
  )
  return [...new Set(listening().flatMap(({ port, inode }) => (inodes.has(inode) ? [port] : [])))]
}

/** Every port of this machine on which anybody takes connections. */
export const listeningPorts = (): ReadonlySet<number> => new Set(listening().map((own) => own.port))

type Listener = { readonly port: number; readonly inode: string }

const listening = (): readonly Listener[] =>
  ['tcp', 'tcp6'].flatMap((file) => listenersIn(read(`/proc/net/${file}`) ?? ''))

/** proc(5): `sl local_address rem_address st …`, a socket a line; state 0A is LISTEN. */
export function listenersIn(table: string): readonly Listener[] {
  return table
    .trim()
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/)
      const [local = '', state, inode] = [fields[1], fields[3], fields[9]]
      if (state !== '0A' || inode === undefined) return []
      return [{ port: Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16), inode }]
    })
}

function residentMib(pid: number): number | undefined {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${String(pid)}/status`) ?? '')?.[1]
  return kib === undefined ? undefined : Number(kib) / 1_024
}

function descriptorsOf(pid: number): readonly string[] {
  const directory = `/proc/${String(pid)}/fd`
  try {
    return readdirSync(directory).flatMap((name) => link(`${directory}/${name}`) ?? [])
  } catch {
    return []
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    // Closed since it was listed.
    return undefined
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
