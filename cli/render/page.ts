/**
 * A description: facts as aligned `key: value` lines, then sections under a heading.
 */
import type { Paint } from './paint.ts'

export type Fact = readonly [key: string, value: string | undefined]
export type Section = { readonly title: string; readonly lines: readonly string[] }

/** Facts without a value and sections without a line are left out. */
export function page(
  { facts, sections }: { readonly facts: readonly Fact[]; readonly sections: readonly Section[] },
  paint: Paint,
): readonly string[] {
  const told = facts.filter(([, value]) => value !== undefined && value !== '')
  const width = Math.max(0, ...told.map(([key]) => key.length)) + 1
  return [
    ...told.map(([key, value]) => `${paint(`${key}:`.padEnd(width), 'dim')}  ${value ?? ''}`),
    ...sections
      .filter(({ lines }) => lines.length > 0)
      .flatMap(({ title, lines }) => [
        '',
        paint(title, 'bold'),
        ...lines.map((line) => `  ${line}`),
      ]),
  ]
}

/** The style inside a section: two columns are spent on the indent. */
export const indented = <S extends { readonly width: number | undefined }>(style: S): S => ({
  ...style,
  width: style.width === undefined ? undefined : style.width - 2,
})
