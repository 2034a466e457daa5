/**
 * Every process that belongs to a herd: marked by its environment, or named after its state
 * directory.
 *
 * Agents and replicas carry the mark; drover and the table's engine have the directory on their
 * command line. Linux alone shows both; elsewhere nothing is found.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { startTimeOf } from '../processes.ts'

export type HerdProcess = { readonly pid: number; readonly command: string }

/** The two that carry no mark; whoever merely started them is none of ours. */
const PARTS = /^\S*(node \S*local\/main\.ts|dynoxide) /

export function processesOf(stateDirectory: string): readonly HerdProcess[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const command = read(name, 'cmdline').replaceAll('\0', ' ').trim()
      const marked = read(name, 'environ')
        .split('\0')
        .includes(`DROVER_STATE_DIR=${stateDirectory}`)
      const isPart = PARTS.test(command)
      const named = isPart && command.split(' ').some((word) => isInside(word, stateDirectory))
      const isOurs = (marked || named) && startTimeOf(Number(name)) !== undefined
      return isOurs ? [{ pid: Number(name), command }] : []
    })
}

const isInside = (word: string, directory: string): boolean =>
  word === directory || word.startsWith(`${directory}/`)

function read(pid: string, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
