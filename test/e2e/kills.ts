/**
 * Kills at random moments: agents, the table's engine, the whole of drover. After each the herd
 * must find back to what was asked for, and leave nothing behind.
 *
 * The seed decides what is killed and when, as far as a real machine lets anything be decided.
 * Before each kill the herd is given work, so that most kills land in the middle of something.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild, runCommand, type DroverChild } from '#local/demo/child.ts'
import { makeHerd, until, type Herd } from '#local/demo/herd.ts'
import { watchService, type Watched } from '#local/demo/watch.ts'
import { makeRandom, type Random } from '#shared/base/random.ts'
import { clean, QUICKSTART, settled } from './kit.ts'

export type Victim = 'agent' | 'engine' | 'drover'
export type KillsOptions = {
  readonly stateDirectory: string
  readonly seed: number
  readonly kills: number
  readonly tell: (line: string) => void
}

const VICTIMS: readonly Victim[] = ['agent', 'engine', 'drover']
/** Longer than a wake, a launch and a boot take together, so that each of them is hit. */
const MOMENT_MAX_MS = 4_000

type Scene = { child: DroverChild; herd: Herd; readonly options: KillsOptions }

/**
 * Throws when the herd does not recover; answers what a caller of the web service saw meanwhile.
 */
export async function runKills(options: KillsOptions): Promise<Watched> {
  const { stateDirectory, seed, kills, tell } = options
  tell(`seed ${String(seed)}, ${String(kills)} kills`)
  const random = makeRandom(seed)
  const child = await startChild({ stateDirectory })
  const scene: Scene = { child, herd: makeHerd(child.url), options }
  const applied = await runCommand(child.url, ['apply', '-f', QUICKSTART])
  if (applied.code !== 0) throw new Error(applied.err)
  await settled(scene.herd)
  const watch = watchService(() => scene.herd, 'web')
  try {
    // Each kind in turn, so that a few kills hit all of them.
    const first = Math.floor(random.next() * VICTIMS.length)
    for (let kill = 0; kill < kills; kill += 1) {
      await killOne(scene, random, VICTIMS[(first + kill) % VICTIMS.length] ?? 'agent')
    }
    return await watch.stop()
  } finally {
    await watch.stop()
    await scene.child.end('SIGTERM')
  }
}

async function killOne(scene: Scene, random: Random, victim: Victim): Promise<void> {
  const { stateDirectory, tell } = scene.options
  const replicas = 3 + Math.floor(random.next() * 4)
  const momentMs = Math.floor(random.next() * MOMENT_MAX_MS)
  await scene.herd.send('POST', '/v1/workloads/web/scale', { replicas })
  await sleep(momentMs)
  const startMs = performance.now()
  const what = await strike(scene, random, victim)
  await settled(scene.herd, 90_000)
  await clean(scene.herd, stateDirectory)
  const tookS = ((performance.now() - startMs) / 1000).toFixed(1)
  const when = `web to ${String(replicas)}, ${String(momentMs)} ms later`
  tell(`${when} ${what} is killed: whole again in ${tookS} s`)
}

async function strike(scene: Scene, random: Random, victim: Victim): Promise<string> {
  const { stateDirectory } = scene.options
  if (victim === 'agent') {
    const agents = (await scene.herd.instances()).flatMap(({ agentPid = -1 }) =>
      agentPid > 1 ? [agentPid] : [],
    )
    const pid = agents[Math.floor(random.next() * agents.length)]
    return pid === undefined ? 'nobody' : end(pid, `agent ${String(pid)}`)
  }
  if (victim === 'engine') {
    const text = readFileSync(join(stateDirectory, 'engine.json'), 'utf8')
    const { pid } = JSON.parse(text) as { pid: number }
    return end(pid, `engine ${String(pid)}`)
  }
  await scene.child.end('SIGKILL')
  scene.child = await startChild({ stateDirectory })
  scene.herd = makeHerd(scene.child.url)
  await until({ what: 'drover answers again', withinMs: 10_000 }, () =>
    scene.herd.workloads().then(() => true),
  )
  return 'drover'
}

function end(pid: number, name: string): string {
  try {
    process.kill(pid, 'SIGKILL')
    return name
  } catch {
    return `${name}, which had just ended,`
  }
}
