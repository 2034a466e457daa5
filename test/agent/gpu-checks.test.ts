import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeChecks } from '#agent/adapters/checks/checks.ts'
import { adoptTools } from '#agent/adapters/checks/run-tool.ts'
import { readKernelLog } from '#agent/adapters/kernel-log.ts'
import { pidsWith } from '#agent/adapters/processes.ts'
import { GPU_RESET } from '#shared/model/burn-in.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import { asked } from '../asked.ts'
import { temporaryDirectory, until } from './world.ts'

const captures = join(import.meta.dirname, 'captures')
const searchPath = process.env['PATH'] ?? ''
let directory: { path: string; remove: () => void }
beforeEach(() => {
  directory = temporaryDirectory()
  process.env['PATH'] = `${directory.path}${delimiter}/usr/bin${delimiter}/bin`
})
afterEach(() => {
  process.env['PATH'] = searchPath
  directory.remove()
})

/** A tool that is found before any other of its name. */
function install(name: string, script: string): void {
  const path = join(directory.path, name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}
const installSmi = (capture = 'nvidia-smi-h100-580.xml'): void => {
  const links = join(captures, 'nvlink-h100.txt')
  install(
    'nvidia-smi',
    `case "$1" in nvlink) cat ${links};; *) cat ${join(captures, capture)};; esac`,
  )
}

type Look = (check: unknown) => Promise<CheckResult>

/** The checks of one agent's life. */
function makeAgentChecks(kernelLog: string): Look {
  const run = makeChecks({
    ...{ instanceId: 'i-0abc', path: '', faults: [], gpus: [], diskMib: 1, kernelLog },
    endpoint: 'localhost:1',
    clockOffsetMs: () => Promise.resolve(0),
  })
  return (check) => {
    const [spec] = check === GPU_RESET ? [GPU_RESET] : asked(check)
    if (spec === undefined) throw new Error('no check')
    return run(spec)
  }
}

const look = (check: unknown, kernelLog = '/dev/null'): Promise<CheckResult> =>
  makeAgentChecks(kernelLog)(check)

const GPU_CHECKS = ['gpu-devices', 'gpu-memory', 'gpu-heat', 'gpu-link'] as const

describe('a machine with two GPUs', () => {
  it('passes what asks nvidia-smi', async () => {
    installSmi()
    const results = []
    for (const check of GPU_CHECKS) results.push(await look(check))
    expect(results.map((own) => [own.name, own.verdict, own.text])).toEqual(
      GPU_CHECKS.map((name) => [name, 'PASS', '']),
    )
    expect(results[3]?.measures).toMatchObject({ nvlinks: 36, leastPcieWidth: 16 })
  })

  it('is short of GPUs where the instance type has more', async () => {
    installSmi()
    expect(await look({ check: 'gpu-devices', count: 8 })).toMatchObject({
      verdict: 'FAIL',
      text: '2 GPUs of 8 are there',
    })
  })

  it('passes what asks dcgmi, and fails where the level was not reached', async () => {
    install('dcgmi', `echo asked "$@" >&2; cat ${join(captures, 'dcgm-4.4-level2.json')}`)
    expect((await look({ check: 'dcgm', level: 2 })).verdict).toBe('PASS')
    expect((await look({ check: 'dcgm', level: 3 })).verdict).toBe('UNKNOWN')
  })

  it('has its links looked at while the load runs, which ends then', async () => {
    installSmi()
    const mark = join(directory.path, 'loaded')
    install('burn', `echo $$ > ${mark}; exec sleep 60`)
    const slow = join(directory.path, 'slow.xml')
    const text = readFileSync(join(captures, 'nvidia-smi-h100-580.xml'), 'utf8')
    writeFileSync(slow, text.replaceAll('<current_link_gen>5', '<current_link_gen>1'))
    install('nvidia-smi', `[ "$1" = nvlink ] || cat ${slow}`)
    expect((await look('gpu-link')).verdict).toBe('PASS')
    const loaded = await look({ check: 'gpu-link', load: ['burn'] })
    expect(loaded).toMatchObject({ verdict: 'FAIL' })
    expect(loaded.text).toContain('PCIe generation is 1')
    const pid = Number(readFileSync(mark, 'utf8'))
    expect(() => process.kill(pid, 0)).toThrow()
    const ended = await look({ check: 'gpu-link', load: ['true'] })
    expect(ended).toMatchObject({ verdict: 'INFRA' })
  }, 30_000)
})

describe('tools that do not do', () => {
  it('are INFRA where they are missing', async () => {
    const result = await look('gpu-devices')
    expect(result.verdict).toBe('INFRA')
    expect(result.text).toContain('ENOENT')
    expect((await look('dcgm')).verdict).toBe('INFRA')
    expect((await look({ check: 'gpu-link', load: ['burn'] })).verdict).toBe('INFRA')
  })

  it('are INFRA where they find no driver, and FAIL where they find no GPU', async () => {
    install(
      'nvidia-smi',
      'echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18',
    )
    expect((await look('gpu-devices')).verdict).toBe('INFRA')
    install('nvidia-smi', 'echo "No devices were found"; exit 6')
    expect((await look('gpu-devices')).verdict).toBe('FAIL')
  })

  it('are UNKNOWN where they hang', async () => {
    install('dcgmi', 'exec sleep 60')
    const result = await look({ check: 'dcgm', timeoutSeconds: 1 })
    expect(result).toMatchObject({
      verdict: 'UNKNOWN',
      text: 'dcgmi did not end within 1 s',
    })
  })
})

describe('tools of an agent that is gone', () => {
  it.skipIf(process.platform !== 'linux')('are ended by the next one, and no others', async () => {
    const sleeper = (owner: string): ChildProcess =>
      spawn('sleep', ['60'], { env: { PATH: searchPath, DROVER_CHECK_OF: owner }, detached: true })
    const [left, other] = [sleeper(directory.path), sleeper('/elsewhere')]
    const ended = new Promise((resolve) => left.once('exit', (_, signal) => resolve(signal)))
    await until('both run', () => pidsWith('DROVER_CHECK_OF', '/elsewhere').length === 1)
    adoptTools(directory.path)
    expect(await ended).toBe('SIGKILL')
    expect(other.exitCode ?? other.signalCode).toBeNull()
    other.kill('SIGKILL')
  })
})

describe('a reset of the GPUs', () => {
  const xid = (record: number, code: number): string =>
    `4,${String(record)},1,-;NVRM: Xid (PCI:0000:53:00): ${String(code)}, pid=1, name=x, told\n`
  const kernelLog = (text: string): string => {
    const path = join(directory.path, 'kmsg')
    writeFileSync(path, text)
    return path
  }
  const done = 'echo "GPU 00000000:53:00.0 was successfully reset."'

  it('ends what it mends, and no more', async () => {
    install('nvidia-smi', `[ "$1" = --gpu-reset ] && ${done}`)
    const agent = makeAgentChecks(kernelLog(xid(7, 95)))
    expect(await agent('gpu-xid')).toMatchObject({ verdict: 'FAIL', needs: 'reset' })
    expect(await agent(GPU_RESET)).toMatchObject({ name: 'gpu-reset', verdict: 'PASS' })
    expect(await agent('gpu-xid')).toMatchObject({ verdict: 'PASS', measures: { xids: 0 } })
    kernelLog(xid(7, 95) + xid(8, 119))
    expect(await agent('gpu-xid')).toMatchObject({ verdict: 'FAIL', measures: { xids: 1 } })
  })

  it('does not end what needs more than that', async () => {
    install('nvidia-smi', done)
    const agent = makeAgentChecks(kernelLog(xid(7, 74)))
    expect((await agent(GPU_RESET)).verdict).toBe('PASS')
    expect(await agent('gpu-xid')).toMatchObject({ verdict: 'FAIL', needs: 'replace' })
  })

  it('is a warning where it cannot be done', async () => {
    install('nvidia-smi', 'echo "GPU 00000000:53:00.0 is in use by one process."; exit 1')
    const agent = makeAgentChecks(kernelLog(xid(7, 95)))
    expect(await agent(GPU_RESET)).toMatchObject({
      verdict: 'WARN',
      text: expect.stringContaining('is in use') as string,
    })
    expect((await agent('gpu-xid')).verdict).toBe('FAIL')
  })
})

describe("the kernel's log", () => {
  it('is read to its end, and judged', async () => {
    const path = join(captures, 'kernel-xid.txt')
    expect(readKernelLog(path)).toHaveLength(4)
    expect(await look('gpu-xid', path)).toMatchObject({ verdict: 'WARN', measures: { xids: 2 } })
    expect((await look('kernel', path)).verdict).toBe('PASS')
  })

  it('is INFRA where it may not be read', async () => {
    expect((await look('kernel', join(directory.path, 'nowhere'))).verdict).toBe('INFRA')
  })

  it('is read from the kernel itself where that is allowed', () => {
    let messages: readonly string[] = []
    try {
      messages = readKernelLog()
    } catch (error) {
      expect(String(error)).toMatch(/EPERM|EACCES|ENOENT/)
      return
    }
    expect(messages.every((own) => !/^\d+,\d+,\d+,/.test(own))).toBe(true)
  })
})
