/**
 * How far long work is: a bar drawn over itself on a terminal, a line now and then elsewhere.
 */
import type { Terminal } from '../world.ts'

const WIDTH = 30
const CLEAR_LINE_END = '\u001b[K'
/** Where nothing can be drawn over, a line for each part of the work. */
const PARTS = 10

/** `[████······]` */
export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * WIDTH)
  return `[${'█'.repeat(full)}${'·'.repeat(WIDTH - full)}]`
}

/** Shows each share from 0 to 1 it is told, with a text of what that is. */
export function makeProgress(
  terminal: Pick<Terminal, 'write' | 'isTty'>,
): (share: number, text: string) => void {
  let told = 0
  return (share, text) => {
    if (terminal.isTty) {
      terminal.write(`\r${bar(share)} ${text}${CLEAR_LINE_END}${share >= 1 ? '\n' : ''}`)
      return
    }
    const part = Math.floor(share * PARTS)
    if (part <= told) return
    told = part
    terminal.write(`${String(Math.floor(share * 100))}%: ${text}\n`)
  }
}
