/**
 * When `nvidia-smi` prints no document: what its words say of the machine.
 *
 * Its exit codes and its streams differ from driver to driver, so the words are looked at first,
 * wherever they stand. A GPU that is gone condemns the machine; a driver that is not loaded, or not
 * the one that its library was made for, condemns the image.
 */
import type { Ended } from '../command.ts'
import { found, type Finding } from '../finding.ts'

type Saying = { readonly words: RegExp; readonly verdict: 'FAIL' | 'INFRA' }

const SAYINGS: readonly Saying[] = [
  { words: /unable to determine the device handle[^\n]*/i, verdict: 'FAIL' },
  { words: /gpu is lost[^\n]*/i, verdict: 'FAIL' },
  { words: /no devices were found/i, verdict: 'FAIL' },
  { words: /couldn't communicate with the nvidia driver/i, verdict: 'INFRA' },
  { words: /driver\/library version mismatch/i, verdict: 'INFRA' },
  { words: /failed to initialize nvml[^\n]*/i, verdict: 'INFRA' },
]

/** NVML's codes, which the tool ends with; source: the manual page of nvidia-smi. */
const BY_CODE: ReadonlyMap<number, Saying['verdict']> = new Map([
  [6, 'FAIL'],
  [9, 'INFRA'],
  [12, 'INFRA'],
  [15, 'FAIL'],
  [18, 'INFRA'],
])

/** `why`: what was wrong with what it printed. */
export function judgeSilence({ code, stdout, stderr }: Ended, why: string): Finding {
  const said = `${stdout}\n${stderr}`
  for (const { words, verdict } of SAYINGS) {
    const match = words.exec(said)
    if (match !== null) return found(verdict, `nvidia-smi: ${match[0]}`)
  }
  const verdict = BY_CODE.get(code ?? -1) ?? 'UNKNOWN'
  return found(verdict, `nvidia-smi ended with ${String(code)}, and ${why}`)
}
