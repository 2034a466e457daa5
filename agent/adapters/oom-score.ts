/**
 * Who is ended first where memory runs out.
 *
 * On a node the agent is spared by its unit (`OOMScoreAdjust`), and a process begins with the score
 * of the one that starts it. A replica must not be spared: the next to go would be sshd, containers
 * and everybody else who took no more than they said.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const SCORE = '/proc/self/oom_score_adj'

/** Runs `start`, and what it starts has nobody's favour. Elsewhere than on Linux just runs it. */
export function unspared<T>(start: () => T, score = SCORE): T {
  const own = scoreNow(score)
  if (own >= 0) return start()
  writeFileSync(score, '0')
  try {
    return start()
  } finally {
    writeFileSync(score, String(own))
  }
}

function scoreNow(score: string): number {
  try {
    return Number(readFileSync(score, 'utf8'))
  } catch {
    return 0
  }
}
