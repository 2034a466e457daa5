/**
 * Runs `*.txt` beside this file: machines with GPUs that boot and are tested, what the function
 * `burn-in` writes about them, and what it remembers.
 *
 * `machine a gpus=1,2`, `machine b gpus=2 checks=cpu`, `machine c gpus=1,2 short=24h`, `attempt a
 * 2`, `later 23h`, `clears 2` (a person, of GPU 2; `1+2` are the two together). Answered are `boots
 * a`, `passes a` and `tells a gpu-memory=FAIL gpu=2 what was found`: the verdict that is written,
 * if one is, and whatever is known of hardware from then on.
 */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { must } from '#shared/base/assert.ts'
import { parseDuration } from '#cli/render/time.ts'
import { silentLogger } from '#shared/base/log.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { judgeReport } from '#shared/controllers/burn-in.ts'
import { assignmentSchema } from '#shared/model/assignment.ts'
import { hardwareSchema, setIdOf, type GpuIdentity, type Hardware } from '#shared/model/hardware.ts'
import { reportSchema } from '#shared/model/report.ts'
import type { CheckResult, Verdict } from '#shared/model/verdict.ts'
import { historyKeys, keys } from '#shared/store/keys.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import { asked } from '../../asked.ts'
import { testScenarios, type Teller } from '../retell.ts'

const NOW_MS = Date.UTC(2026, 10, 29, 12)
const CHECKS = ['cpu', 'gpu-memory', 'gpu-link']

const arnOf = (name: string): string => `arn:aws:ec2:us-east-1:111122223333:instance/i-${name}`
const uuidOf = (n: string): string => `GPU-00000000-0000-0000-0000-${n.padStart(12, '0')}`

type Machine = { readonly gpus: readonly GpuIdentity[]; readonly checks: readonly string[] }

function openWorld(): Teller {
  const clock = makeVirtualClock(NOW_MS)
  const [store, history] = [makeMemoryStore(), makeMemoryStore()]
  const ports = { store, history, clock, log: silentLogger }
  const machines = new Map<string, Machine>()
  const names = new Map<string, string>()
  const machineOf = (name: string): Machine => must(machines.get(name), `machine ${name}`)

  const name = (id: string, said: string): string => {
    names.set(id, said)
    return id
  }
  const deviceId = (n: string): string => name(uuidOf(n), `GPU ${n}`)
  const setId = (numbers: readonly string[]): string => {
    const all = numbers.toSorted()
    return name(setIdOf(all.map((n) => ({ uuid: uuidOf(n) }))), `all of ${all.join('+')}`)
  }
  const spoken = (text: string): string =>
    [...names].reduce((said, [id, name]) => said.replaceAll(id, name), text)

  const assign = async (name: string, attempt: number, short?: string): Promise<void> => {
    const arn = arnOf(name)
    const within = short === undefined ? undefined : must(parseDuration(short), short)
    const certificate =
      within === undefined ? {} : { certificate: { suite: 'gpu', withinMs: within } }
    const assignment = assignmentSchema.parse({
      ...{ kind: 'assignment', arn, node: name, generation: 1, templates: {}, replicas: [] },
      burnIn: { attempt, suite: 'gpu', checks: asked(...machineOf(name).checks), ...certificate },
    })
    await store.write({ kind: 'put', item: { ...keys.assignment(arn), ...assignment } })
  }
  const attemptOf = async (name: string): Promise<number> => {
    const item = assignmentSchema.parse(await store.get(keys.assignment(arnOf(name))))
    return must(item.burnIn, 'a burn-in').attempt
  }
  const report = async (name: string, checks?: readonly CheckResult[]): Promise<string[]> => {
    const arn = arnOf(name)
    const { gpus } = machineOf(name)
    const attempt = await attemptOf(name)
    const run = { attempt, suite: 'gpu', state: 'finished', checks }
    const item = reportSchema.parse({
      ...{ kind: 'report', arn, bootId: `boot-${name}`, sequence: 1, agentVersion: '0' },
      ...{ observedGeneration: 1, runtimes: ['process'], replicas: [], atMs: clock.now(), gpus },
      ...(checks === undefined ? {} : { burnIn: run }),
    })
    await store.write({ kind: 'put', item: { ...keys.report(arn), ...item } })
    const before = await known()
    const outcome = await judgeReport(ports, arn)
    const said =
      outcome.outcome === 'written'
        ? describeVerdict(outcome.verdict)
        : `no verdict: ${outcome.reason}`
    const news = (await known()).filter((line) => !before.includes(line))
    return [said, ...news].map(spoken)
  }
  const known = async (): Promise<string[]> =>
    (await history.scan())
      .flatMap((item) => hardwareSchema.safeParse(item).data ?? [])
      .map(describeHardware)
      .sort()

  const verbs: Readonly<Record<string, (words: readonly string[]) => ReturnType<Teller>>> = {
    machine: async ([name = '', ...rest]) => {
      const own = Object.fromEntries(rest.map((word) => word.split('=') as [string, string]))
      const numbers = own['gpus'] === undefined ? [] : own['gpus'].split(',')
      const gpus = numbers.map((n, index) => ({ index, uuid: uuidOf(n), bus: `0000:0${n}:00` }))
      numbers.forEach(deviceId)
      setId(numbers)
      machines.set(name, { gpus, checks: own['checks']?.split(',') ?? CHECKS })
      await assign(name, 1, own['short'])
      return undefined
    },
    attempt: async ([name = '', n]) => {
      await assign(name, Number(n))
      return undefined
    },
    later: async ([by = '']) => {
      await clock.advance(must(parseDuration(by), by))
      return undefined
    },
    clears: async ([which = '']) => {
      const id = which.includes('+') ? setId(which.split('+')) : deviceId(which)
      const { atMs: rejectedAtMs } = hardwareSchema.parse(
        await history.get(historyKeys.hardware(id)),
      )
      const order = { kind: 'order', target: 'hardware', name: id, verb: 'clear', rejectedAtMs }
      const key = keys.order('hardware', id)
      await store.write({ kind: 'put', item: { ...key, ...order, atMs: clock.now() } })
      return undefined
    },
    boots: ([name = '']) => report(name),
    passes: ([name = '']) => report(name, machineOf(name).checks.map(passed)),
    tells: ([name = '', found = '', ...rest]) => {
      const [check = '', verdict] = found.split('=')
      const [, device] = /^gpu=(.*)/.exec(rest[0] ?? '') ?? []
      const text = rest.slice(device === undefined ? 0 : 1).join(' ')
      const bad = { name: check, verdict: verdict as 'FAIL', measures: {}, text }
      const devices =
        device === undefined
          ? {}
          : { devices: [{ uuid: uuidOf(device), verdict: verdict as 'FAIL', text }] }
      const others = machineOf(name).checks.filter((own) => own !== check)
      return report(name, [...others.map(passed), { ...bad, ...devices }])
    },
  }
  return (line) => {
    const [verb = '', ...words] = line.trim().split(/\s+/)
    const act = must(verbs[verb], `the verb ${verb}`)
    return act(words)
  }
}

const passed = (name: string): CheckResult => ({ name, verdict: 'PASS', measures: {}, text: '' })

const HOUR_MS = 3_600_000

function describeVerdict({ node, verdict, refused, certifiedForMs, checks }: Verdict): string {
  const told = checks.find((own) => own.verdict === verdict && own.verdict !== 'PASS')
  return [
    `${node} ${verdict}`,
    refused === true ? ', untested' : '',
    certifiedForMs === undefined ? '' : `, certified ${String(certifiedForMs / HOUR_MS)}h ago`,
    told === undefined ? '' : `: ${told.name}: ${told.text}`,
  ].join('')
}

function describeHardware({ id, state, text, node }: Hardware): string {
  return `${id} ${state} in ${node}${text === '' ? '' : `: ${text}`}`
}

await testScenarios(dirname(fileURLToPath(import.meta.url)), openWorld)
