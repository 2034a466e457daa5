/** The whole laptop EC2 with real, if tiny, agents: spawn, journal, adoption, no orphans. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { agentDirectory } from '#local/ec2/instance-processes.ts'
import { forgetLocalEc2, startLocalEc2, type LocalEc2 } from '#local/ec2/local-ec2.ts'
import { openJournal } from '#local/ec2/journal.ts'
import { processesWith, startTimeOf } from '#local/processes.ts'
import { silentLogger } from '#shared/base/log.ts'
import { EC2_DEFAULTS } from '#shared/cloud/memory-ec2/options.ts'
import type { Ec2Event } from '#shared/cloud/memory-ec2/types.ts'
import { FAKE_AGENT } from './fake-agent.ts'
import { overridesOf, TEST_TYPES, testOfferings, ZONES } from '#test/cloud/world-kit.ts'

type Ready = { pid: number; replicas: number[]; bootId: string; metadataUrl: string; extra: string }

let directory = ''
let open: LocalEc2[] = []
let events: Ec2Event[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'drover-ec2-'))
  events = []
})

afterEach(async () => {
  for (const own of open) await own.close()
  open = []
  expect(processesWith({ DROVER_STATE_DIR: directory })).toEqual([])
  rmSync(directory, { recursive: true, force: true })
})

async function start(): Promise<LocalEc2> {
  const own = await startLocalEc2({
    stateDirectory: directory,
    options: {
      ...EC2_DEFAULTS,
      zones: ZONES,
      instanceTypes: TEST_TYPES,
      offerings: testOfferings(),
      bootMs: { min: 20, max: 50 },
      shutdownMs: { min: 20, max: 50 },
      listDelayMs: 0,
    },
    agentCommand: [process.execPath, FAKE_AGENT],
    environmentOf: ({ zone }) => ({ EXTRA: zone }),
    onEvent: (event) => events.push(event),
    log: silentLogger,
    restartDelayMs: 50,
  })
  open.push(own)
  return own
}

function launch(own: LocalEc2, count = 1): string[] {
  const answer = own.world.createFleet({
    capacityType: 'spot',
    strategy: 'price-capacity-optimized',
    count,
    overrides: overridesOf(['m7a.large']),
    tags: {},
  })
  if (answer.answer !== 'done') throw new Error(answer.answer)
  return answer.value.instances.map(({ instanceId }) => instanceId)
}

async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (let waited = 0; waited < 8_000; waited += 20) {
    const found = look()
    if (found !== undefined && found !== false) return found
    await sleep(20)
  }
  throw new Error(`not within eight seconds: ${look.toString()}`)
}

function ready(instanceId: string, unlike = -1): Promise<Ready> {
  return until(() => {
    try {
      const path = join(agentDirectory(directory, instanceId), 'ready.json')
      const seen = JSON.parse(readFileSync(path, 'utf8')) as Ready
      return seen.pid !== unlike && seen
    } catch {
      return undefined
    }
  })
}

const dead = (pids: readonly number[]): boolean =>
  pids.every((pid) => startTimeOf(pid) === undefined)

describe.runIf(process.platform === 'linux')('local EC2', () => {
  it('runs an agent for each instance, and ends it with its replicas', async () => {
    const own = await start()
    const [first = '', second = ''] = launch(own, 2)
    const [one, two] = await Promise.all([ready(first), ready(second)])
    expect(one).toMatchObject({
      bootId: `${first}-boot-1`,
      metadataUrl: own.metadataUrl(first),
      extra: 'us-east-1a',
    })
    expect(own.instances().map(({ agentPid }) => agentPid)).toEqual([one.pid, two.pid])
    own.world.terminateInstances([first])
    await until(() => dead([one.pid, ...one.replicas]))
    expect(dead([two.pid])).toBe(false)
    await until(() => own.world.instance(first)?.state === 'terminated')
    const states = events
      .filter(({ detail }) => detail['instance-id'] === first)
      .map(({ detail }) => detail['state'])
    expect(states).toEqual(['pending', 'running', 'shutting-down', 'terminated'])
  })

  it('boots machines that come up together one a turn, and serves others between', async () => {
    const own = await start()
    launch(own, 4)
    // All four are due before anybody looks.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
    const started = (): number =>
      own.instances().filter(({ agentPid }) => agentPid !== undefined).length
    const counts = [started()]
    while (counts.at(-1) !== 4 && counts.length < 1_000) {
      await nextTurn()
      counts.push(started())
    }
    expect([...new Set(counts)]).toEqual([0, 1, 2, 3, 4])
  })

  it('starts an agent that died by itself again, in the same boot', async () => {
    const own = await start()
    const [id = ''] = launch(own)
    const before = await ready(id)
    process.kill(before.pid, 'SIGKILL')
    const after = await ready(id, before.pid)
    expect(after.bootId).toBe(before.bootId)
  })

  it('kills a machine at once, even one whose agent hangs', async () => {
    const own = await start()
    const [id = ''] = launch(own)
    const { pid, replicas } = await ready(id)
    expect(own.hang(id)).toEqual({ done: true })
    await until(() => / T /.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8')))
    expect(own.kill(id)).toEqual({ done: true })
    await until(() => dead([pid, ...replicas]))
    expect(own.world.instance(id)?.state).toBe('terminated')
    expect(own.hang(id)).toMatchObject({ done: false, code: 'NotFound' })
  })

  it('gives a rebooted machine a new boot and none of the old processes', async () => {
    const own = await start()
    const [id = ''] = launch(own)
    const before = await ready(id)
    own.world.rebootInstances([id])
    const after = await ready(id, before.pid)
    expect(after.bootId).toBe(`${id}-boot-2`)
    expect(dead([before.pid, ...before.replicas])).toBe(true)
  })

  it('adopts what still runs after a crash, and restarts what does not', async () => {
    const crashed = await start()
    const [kept = '', lost = ''] = launch(crashed, 2)
    const [keptBefore, lostBefore] = await Promise.all([ready(kept), ready(lost)])
    await crashed.close({ keepAgents: true })
    process.kill(lostBefore.pid, 'SIGKILL')
    await until(() => dead([lostBefore.pid]))
    const own = await start()
    const lostAfter = await ready(lost, lostBefore.pid)
    expect(own.instances().map(({ agentPid }) => agentPid)).toEqual([keptBefore.pid, lostAfter.pid])
    expect(dead(keptBefore.replicas)).toBe(false)
  })

  it('adopts an agent whose pid never reached the journal', async () => {
    const crashed = await start()
    const [id = ''] = launch(crashed)
    const { pid } = await ready(id)
    await crashed.close({ keepAgents: true })
    const journal = openJournal(join(directory, 'ec2.json'))
    const content = journal.read()!
    journal.write({
      ...content,
      agents: content.agents.map(({ instanceId, bootId }) => ({ instanceId, bootId })),
    })
    const own = await start()
    expect(own.instances().map(({ agentPid }) => agentPid)).toEqual([pid])
  })

  it('ends what belongs to no instance any more', async () => {
    const crashed = await start()
    const [id = ''] = launch(crashed)
    const { pid, replicas } = await ready(id)
    await crashed.close({ keepAgents: true })
    const journal = openJournal(join(directory, 'ec2.json'))
    const content = journal.read()!
    journal.write({ agents: [], world: { ...content.world, instances: [] } })
    await start()
    expect(dead([pid, ...replicas])).toBe(true)
  })

  it('leaves a stranger alone that has the pid of a lost agent', async () => {
    const crashed = await start()
    const [id = ''] = launch(crashed)
    const before = await ready(id)
    await crashed.close({ keepAgents: true })
    process.kill(before.pid, 'SIGKILL')
    await until(() => dead([before.pid]))
    const journal = openJournal(join(directory, 'ec2.json'))
    const content = journal.read()!
    const stranger = { pid: process.pid, startTime: 'another time' }
    const agents = content.agents.map((record) => ({ ...record, process: stranger }))
    journal.write({ ...content, agents })
    const own = await start()
    const after = await ready(id, before.pid)
    expect(own.instances().map(({ agentPid }) => agentPid)).toEqual([after.pid])
  })

  it('forgets a herd with everything that ran for it', async () => {
    const crashed = await start()
    const [id = ''] = launch(crashed)
    const { pid, replicas } = await ready(id)
    await crashed.close({ keepAgents: true })
    writeFileSync(join(directory, 'ec2.json'), '{"torn')
    await forgetLocalEc2(directory, silentLogger)
    expect(dead([pid, ...replicas])).toBe(true)
    expect(readdirSync(directory)).toEqual([])
    const own = await start()
    expect(own.instances()).toEqual([])
  })

  it('refuses a journal it cannot read, and says what to do', async () => {
    const own = await start()
    await own.close()
    open = []
    openJournal(join(directory, 'ec2.json')).write({ agents: 'none' } as never)
    await expect(start()).rejects.toThrow('--fresh')
  })
})
