/**
 * What the simulator's commands say to a person: lines on standard output, a bar on the other.
 */
import { bar } from '#cli/render/progress.ts'

export const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** Where no terminal shows a bar, a line now and then says how far the work is. */
const LINE_EVERY_MS = 60_000
let lineAtMs = performance.now() + LINE_EVERY_MS

/** Drawn over itself. */
export function progressBar(share: number, text: string): void {
  if (!process.stderr.isTTY) {
    if (performance.now() < lineAtMs) return
    lineAtMs = performance.now() + LINE_EVERY_MS
    process.stderr.write(`${String(Math.floor(share * 100))} %: ${text}\n`)
    return
  }
  process.stderr.write(`\r${bar(share)} ${text}\u001b[K`)
  if (share >= 1) process.stderr.write('\n')
}

/** Says what is wrong with the command and ends it. */
export function misuse(text: string): never {
  process.stderr.write(`${text}\n`)
  process.exit(2)
}
