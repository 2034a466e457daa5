/** `kill -9` of anything: afterwards desired = ready, and nothing is orphaned. */
import { afterEach, expect, it } from 'vitest'
import { processesOf } from '#local/demo/processes-of.ts'
import { runKills } from './kills.ts'
import { sweepDirectory, temporaryDirectory } from './kit.ts'

let directory = ''
afterEach(() => {
  sweepDirectory(directory)
})

it.runIf(process.platform === 'linux')('recovers from kills at random moments', async () => {
  directory = temporaryDirectory('kills')
  const told: string[] = []
  const seed = Number(process.env['DROVER_SEED'] ?? Math.floor(Math.random() * 1e6))
  const tell = (line: string): void => {
    told.push(line)
    process.stdout.write(`${line}\n`)
  }
  const seen = await runKills({ stateDirectory: directory, seed, kills: 4, tell })
  expect(told).toHaveLength(5)
  // Whatever is killed of drover, what it runs serves on: the quickstart's minAvailable is 2.
  expect(seen.fewestAnswering).toBeGreaterThanOrEqual(2)
  expect(processesOf(directory)).toEqual([])
})
