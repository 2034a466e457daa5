/**
 * A tiny agent for the launcher's tests: it starts two replicas, as the real one does, with process
 * groups of their own, journals only the first, says so in `ready.json`, and stays.
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const FAKE_AGENT = import.meta.filename

function replica(): number {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e6)'], {
    detached: true,
    stdio: 'ignore',
    env: process.env,
  })
  child.unref()
  return child.pid ?? -1
}

function startTimeOf(pid: number): string {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

function main(): void {
  const directory = process.env['DROVER_AGENT_DIR'] ?? '.'
  const replicas = [replica(), replica()]
  const [first = -1] = replicas
  const journal = [{ replicaId: 'web/1-1', pid: first, startTime: startTimeOf(first) }]
  writeFileSync(join(directory, 'processes.json'), JSON.stringify(journal))
  const { DROVER_BOOT_ID: bootId, DROVER_METADATA_URL: metadataUrl, EXTRA: extra } = process.env
  const seen = { pid: process.pid, replicas, bootId, metadataUrl, extra }
  writeFileSync(join(directory, 'ready.json'), JSON.stringify(seen))
  setInterval(() => undefined, 1_000)
}

if (import.meta.main) main()
