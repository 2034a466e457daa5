/**
 * Colour, for terminals that show it and people who want it.
 *
 * A palette is a value: painting is the identity where colour is off, so views never ask.
 * NO_COLOR (https://no-color.org) beats FORCE_COLOR, and both beat the terminal.
 */
import type { Environment } from '#shared/base/environment.ts'

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const
export type Colour = keyof typeof CODES
export type Paint = (text: string, colour: Colour | undefined) => string

export const plainPaint: Paint = (text) => text

export const colourPaint: Paint = (text, colour) =>
  colour === undefined || text === '' ? text : `\u001b[${String(CODES[colour])}m${text}\u001b[0m`

export function paintFor(env: Environment, isTty: boolean): Paint {
  if (isSet(env['NO_COLOR'])) return plainPaint
  if (isSet(env['FORCE_COLOR']) && env['FORCE_COLOR'] !== '0') return colourPaint
  return isTty && env['TERM'] !== 'dumb' ? colourPaint : plainPaint
}

const isSet = (value: string | undefined): boolean => value !== undefined && value !== ''

/**
 * Text from a node or a spec may hold escape sequences that would repaint somebody's terminal: only
 * line ends and the palette's own codes pass.
 */
export function harmless(text: string): string {
  return text.replace(/\u001b\[\d{1,2}m|[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, (found) =>
    found.length > 1 ? found : '\ufffd',
  )
}
