/**
 * Lines fit a split screen and files fit a head. Functions' lengths are ESLint's business.
 */
import { faultsByLine, isCode, type Fault, type Source } from '../source.ts'

const LINE_MAX_COLUMNS = 100
const FILE_MAX_LINES = 500

/** A web address cannot be folded. */
const HAS_ADDRESS = /https?:\/\//

export function lineLengthFaults(source: Source): readonly Fault[] {
  if (!isCode(source.path)) return []
  return faultsByLine(source, (line) => {
    const columns = [...line].length
    if (columns <= LINE_MAX_COLUMNS || HAS_ADDRESS.test(line)) return undefined
    return {
      text: `${String(columns)} columns`,
      mend: `fold it to ${String(LINE_MAX_COLUMNS)}`,
    }
  })
}

export function fileLengthFaults(source: Source): readonly Fault[] {
  if (!isCode(source.path)) return []
  const lines = source.text.trimEnd().split('\n').length
  if (lines <= FILE_MAX_LINES) return []
  const text = `${String(lines)} lines`
  return [
    { path: source.path, line: lines, text, mend: `split it: ${String(FILE_MAX_LINES)} at most` },
  ]
}
