/**
 * What the simulator's commands say to a person: lines on standard output, a bar on the other.
 */
export const say = (text: string): void => void process.stdout.write(`${text}\n`)

const WIDTH = 30

/** Drawn over itself; nothing where nobody looks. */
export function progressBar(share: number, text: string): void {
  if (!process.stderr.isTTY) return
  const full = Math.round(share * WIDTH)
  process.stderr.write(`\r[${'█'.repeat(full)}${'·'.repeat(WIDTH - full)}] ${text}\u001b[K`)
  if (share >= 1) process.stderr.write('\n')
}

/** Says what is wrong with the command and ends it. */
export function misuse(text: string): never {
  process.stderr.write(`${text}\n`)
  process.exit(2)
}
