/**
 * Text scenarios: prose, lines that tell what happens, and lines that are answered. Behind one of
 * those stands `----` and the answer, up to the next blank line.
 *
 * A scenario passes when telling it again gives the very same text. With UPDATE_SCENARIOS=1 the
 * answers are written anew; a change of one wants a reason in its commit.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

/** Takes one line in; undefined where it has no answer. Throws on a line that nobody knows. */
export type Teller = (line: string) => Answer | Promise<Answer>
type Answer = readonly string[] | undefined

/** Makes a test of each `## ` part of every `.txt` in a folder, each in a world of its own. */
export async function testScenarios(folder: string, open: () => Teller): Promise<void> {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
    const path = join(folder, file)
    if (process.env['UPDATE_SCENARIOS'] === '1') {
      const fresh: string[] = []
      for (const own of scenariosIn(path)) fresh.push(await retold(own, open()))
      writeFileSync(path, fresh.join('\n'))
    }
    describe(file, () => {
      for (const scenario of scenariosIn(path)) {
        const title = scenario.split('\n')[0] ?? ''
        it(title, async () => {
          expect(await retold(scenario, open())).toBe(scenario)
        })
      }
    })
  }
}

const scenariosIn = (path: string): readonly string[] =>
  readFileSync(path, 'utf8').split(/\n(?=## )/)

/** The scenario with its answers as they are now. */
async function retold(text: string, tell: Teller): Promise<string> {
  const out: string[] = []
  let inAnswer = false
  for (const line of text.split('\n')) {
    if (inAnswer) {
      if (line.trim() !== '') continue
      inAnswer = false
    }
    out.push(line)
    if (line.startsWith('#') || line.trim() === '') continue
    const answer = await tell(line)
    if (answer === undefined) continue
    out.push('----', ...answer)
    inAnswer = true
  }
  return out.join('\n')
}
