/**
 * The example of autoscaling as its head says: work that waits brings replicas up, from none, and
 * when nothing waits any more they go; and what replicas use comes from their agents.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCommand, startChild, type DroverChild } from '#local/demo/child.ts'
import { makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { workloadObjectSchema } from '#shared/protocol/api.ts'
import { sweepDirectory, temporaryDirectory } from './kit.ts'

let directory = ''
let child: DroverChild
let herd: Herd

beforeAll(async () => {
  directory = temporaryDirectory('autoscaling')
  child = await startChild({ stateDirectory: directory, args: ['--speed', '10'] })
  herd = makeHerd(child.url)
})
afterAll(async () => {
  await child.end('SIGTERM')
  sweepDirectory(directory)
})

const statusOf = async (name: string) => {
  const answer = await fetch(`${child.url}/v1/workloads/${name}`)
  return workloadObjectSchema.parse(await answer.json()).status
}
const drover = async (...words: string[]): Promise<void> => {
  expect(await runCommand(child.url, words)).toMatchObject({ code: 0 })
}

it('scales by a backlog from nothing and back, and knows what replicas use', async () => {
  await drover('apply', '-f', 'examples/autoscaling.yaml')
  await drover('metric', 'push', 'mailer', 'backlog', '90')
  await until({ what: 'nine mailers are ready', withinMs: 60_000 }, async () => {
    const { desired, ready } = await statusOf('mailer')
    return desired === 9 && ready === 9
  })
  expect(await herd.replicas('mailer')).toHaveLength(9)

  await drover('metric', 'push', 'mailer', 'backlog', '0')
  // A beat has told what the site uses by the time that the cool-down is over.
  await until({ what: 'no mailer runs', withinMs: 120_000 }, async () => {
    const { desired, assigned } = await statusOf('mailer')
    return desired === 0 && assigned === 0
  })
  const { scale } = await statusOf('site')
  const cpu = scale?.readings.find((own) => own.metric === 'cpu')
  expect(cpu?.error).toBeUndefined()
  expect(cpu?.value).toBeGreaterThanOrEqual(0)

  await drover('metric', 'push', 'mailer', 'backlog', '5')
  await until({ what: 'one mailer is back', withinMs: 30_000 }, async () => {
    const { ready } = await statusOf('mailer')
    return ready === 1
  })
})
