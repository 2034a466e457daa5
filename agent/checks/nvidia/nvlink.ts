/**
 * What `nvidia-smi nvlink -s` prints: for each GPU a line a link, with its speed or `<inactive>`.
 *
 * Where a GPU has links all of them must be up. A GPU without NVLink prints nothing, and a
 * complaint that all are inactive is as bad as a list that says so.
 */
import { found, type Finding } from '../finding.ts'

const ALL_DOWN = /links are inactive/i
const GPU = /^GPU (\d+):/
const LINK = /^\s*Link (\d+): (.+)$/
/** A line about a link, whatever is wrong with it. */
const SPEAKS_OF_ONE = /\bLink \d|inactive|GB\/s/i
const SPEED = /^(\d+(?:\.\d+)?) GB\/s$/

/** Never throws. `least`: how many links each GPU has at least, where that is known. */
export function judgeNvlink(stdout: string, least: number): Finding {
  const speeds = new Map<string, number>()
  const down: string[] = []
  const odd: string[] = []
  let gpu = ''
  for (const line of stdout.split(/\r?\n/)) {
    const header = GPU.exec(line)
    if (header !== null) {
      gpu = header[1] ?? ''
      speeds.set(gpu, speeds.get(gpu) ?? 0)
    }
    if (ALL_DOWN.test(line)) down.push(`GPU ${gpu}: all NVLinks are inactive`)
    const link = LINK.exec(line)
    if (link === null) {
      if (SPEAKS_OF_ONE.test(line) && !ALL_DOWN.test(line))
        odd.push(`cannot be read: ${line.slice(0, 80)}`)
      continue
    }
    const [, index = '', said = ''] = link
    const where = `GPU ${gpu}: NVLink ${index}`
    if (gpu === '') odd.push(`NVLink ${index} belongs to no GPU`)
    else if (SPEED.test(said.trim())) speeds.set(gpu, (speeds.get(gpu) ?? 0) + 1)
    else if (/^<?inactive>?$/i.test(said.trim())) down.push(`${where} is inactive`)
    else odd.push(`${where} cannot be read: ${said.trim().slice(0, 40)}`)
  }
  const counts = [...speeds.values()]
  const measures = { nvlinks: counts.reduce((sum, own) => sum + own, 0) }
  const few = [...speeds].find(([, count]) => count < least)
  if (down.length > 0) return found('FAIL', down.slice(0, 3).join('; '), measures)
  if (odd.length > 0) return found('UNKNOWN', odd.slice(0, 3).join('; '), measures)
  if (least > 0 && counts.length === 0) return found('UNKNOWN', 'no GPU tells of NVLinks', measures)
  if (few === undefined) return found('PASS', '', measures)
  const [index, count] = few
  return found(
    'FAIL',
    `GPU ${index}: ${String(count)} NVLinks of ${String(least)} are up`,
    measures,
  )
}
