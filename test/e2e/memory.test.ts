/** Where there is no engine for the platform: the same herd, with its table in memory. */
import { afterEach, expect, it } from 'vitest'
import { makeHerd } from '#local/demo/herd.ts'
import { startDrover, type LocalDrover } from '#local/drover.ts'
import { silentLogger } from '#shared/base/log.ts'
import { settled, sweepDirectory, temporaryDirectory } from './kit.ts'

let directory = ''
let drover: LocalDrover | undefined
afterEach(async () => {
  await drover?.stop()
  sweepDirectory(directory)
})

it('runs a workload without an engine', async () => {
  directory = temporaryDirectory('memory')
  const options = { port: 0, stateDirectory: directory, inMemory: true, log: silentLogger }
  drover = await startDrover(options)
  const herd = makeHerd(drover.url)
  await herd.send('PUT', '/v1/pools/general', { kind: 'Pool', name: 'general' })
  const workload = { kind: 'Workload', name: 'sleeper', replicas: 2, command: ['sleep', '600'] }
  await herd.send('PUT', '/v1/workloads/sleeper', workload)
  await settled(herd)
  expect((await herd.replicas('sleeper')).map(({ ready }) => ready)).toEqual([true, true])
})
