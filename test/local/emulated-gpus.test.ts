import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { catalog, typesByName } from '#shared/catalog/catalog.ts'
import { checkSpecSchema } from '#shared/model/burn-in.ts'
import { must } from '#shared/base/assert.ts'
import { judgeDcgm } from '#agent/checks/nvidia/dcgm.ts'
import { judgeDevices, judgeHeat, judgeLink, judgeMemory } from '#agent/checks/nvidia/smi-checks.ts'
import { identitiesOf, readSmiLog } from '#agent/checks/nvidia/smi-log.ts'
import { GPUS_VARIABLE, gpusOf, type EmulatedGpu } from '#local/emulated-gpus/gpu.ts'
import { makeHardware } from '#local/hardware.ts'

const type = (name: string) => must(typesByName(catalog).get(name), name)
const host = (n: number) => ({ instanceType: 'g4dn.12xlarge', zone: 'us-east-1a', host: n })
const fault = (rate: number, intermittent = false) => ({ rate, intermittent })
const spec = (check: string): never => checkSpecSchema.parse({ check }) as never

function say(tool: 'nvidia-smi' | 'dcgmi', words: string[], gpus: readonly EmulatedGpu[]): string {
  const path = join(import.meta.dirname, '..', '..', 'local', 'emulated-gpus', 'bin', tool)
  const env = {
    PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
    [GPUS_VARIABLE]: JSON.stringify(gpus),
  }
  return execFileSync(path, words, { env, encoding: 'utf8' })
}

describe('the GPUs of an emulated instance', () => {
  it('are the host’s: the same for whoever gets it, and others on every other', () => {
    const gpus = gpusOf(host(0), type('g4dn.12xlarge'), [])
    expect(gpus).toHaveLength(4)
    expect(gpusOf(host(0), type('g4dn.12xlarge'), [])).toEqual(gpus)
    const others = gpusOf(host(1), type('g4dn.12xlarge'), [])
    const uuids = [...gpus, ...others].map((own) => own.uuid)
    expect(new Set(uuids).size).toBe(8)
    expect(gpusOf({ ...host(0), instanceType: 'm7a.large' }, type('m7a.large'), [])).toEqual([])
  })

  it('are bad for life, as many of them as the rate says', () => {
    const bad = (rate: number): boolean[] =>
      Array.from({ length: 1_000 }, (_, n) => gpusOf(host(n), type('g4dn.12xlarge'), [fault(rate)]))
        .flat()
        .map((own) => own.badness === 1)
    const share = bad(0.1).filter(Boolean).length / 4_000
    expect(share).toBeGreaterThan(0.08)
    expect(share).toBeLessThan(0.12)
    expect(bad(0.1)).toEqual(bad(0.1))
    // Who is bad at a low rate is bad at a higher one.
    const higher = bad(0.3)
    expect(bad(0.1).every((own, i) => !own || higher[i])).toBe(true)
  })

  it('tell NVIDIA’s tools what they are, and what is wrong with them', () => {
    const [first, second, ...rest] = gpusOf(host(0), type('g4dn.12xlarge'), [])
    const gpus = [must(first, 'a GPU'), { ...must(second, 'a GPU'), badness: 1 }, ...rest]
    const log = readSmiLog(say('nvidia-smi', ['-q', '-x'], gpus))
    if ('unreadable' in log) throw new Error(log.unreadable)
    expect(identitiesOf(log).map((own) => own.uuid)).toEqual(gpus.map((own) => own.uuid))
    expect(judgeDevices(log, spec('gpu-devices')).verdict).toBe('PASS')
    expect(judgeLink(log, spec('gpu-link'), true).verdict).toBe('PASS')
    expect(judgeHeat(log, spec('gpu-heat')).verdict).toBe('PASS')
    const memory = judgeMemory(log, spec('gpu-memory'))
    expect(memory).toMatchObject({ verdict: 'FAIL' })
    expect(memory.devices).toMatchObject([{ at: { bus: '0000:02:00' }, verdict: 'FAIL' }])
    const answer = say('dcgmi', ['diag', '-r', '2', '-j'], gpus)
    expect(judgeDcgm(answer, 2)).toMatchObject({
      verdict: 'FAIL',
      devices: [{ at: { index: 1 }, verdict: 'FAIL' }],
    })
    expect(judgeDcgm(say('dcgmi', ['diag', '-r', '4', '-j'], rest), 4).verdict).toBe('PASS')
  })
})

it('faults of GPUs are no faults of an agent’s own checks', () => {
  const hardware = makeHardware()
  hardware.set({ check: 'gpu', rate: 0.5, intermittent: false, instanceType: 'g4dn.xlarge' })
  hardware.set({ check: 'cpu', rate: 1, intermittent: false })
  expect(hardware.faultsOf('g4dn.xlarge')).toEqual([{ check: 'cpu', rate: 1, intermittent: false }])
  expect(hardware.gpuFaultsOf('g4dn.xlarge')).toMatchObject([{ rate: 0.5 }])
  expect(hardware.gpuFaultsOf('g5.xlarge')).toEqual([])
})
