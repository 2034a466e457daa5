/**
 * Captures of NVIDIA's tools: `captures/README.md` says of each how it was made, and after what.
 */
import { readFileSync } from 'node:fs'

export function capture(name: string): string {
  return readFileSync(new URL(`./captures/${name}`, import.meta.url), 'utf8')
}

/** The capture with other words in it; throws where there is nothing to replace. */
export function changed(text: string, from: string | RegExp, to: string): string {
  const other = text.replace(from, to)
  if (other === text) throw new Error(`there is no ${String(from)} in the capture`)
  return other
}
