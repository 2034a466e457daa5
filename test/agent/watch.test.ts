import { appendFileSync, chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeLogger } from '#shared/base/log.ts'
import { openWatch, type WatchOptions } from '#agent/adapters/health/watch.ts'
import { openTable } from '#agent/adapters/table.ts'
import type { LookAtHealth } from '#agent/ports.ts'
import { ARN } from './story.ts'
import { closed, CREDENTIALS, listen, temporaryDirectory } from './world.ts'

Object.assign(process.env, CREDENTIALS)
const searchPath = process.env['PATH'] ?? ''
const GPU = { index: 0, uuid: 'GPU-8f3c1d2e-5a6b-4c7d-9e0f-012345678900', bus: '0000:53:00' }
let directory: { path: string; remove: () => void }
let lines: string[] = []
beforeEach(() => {
  directory = temporaryDirectory()
  lines = []
})
afterEach(() => {
  process.env['PATH'] = searchPath
  directory.remove()
})

const watch = (options: Partial<WatchOptions> = {}): LookAtHealth =>
  openWatch({
    ...{ kernelLog: '/dev/null', directory: directory.path, diskFullPercent: 100, gpus: [] },
    takeClockOffsetMs: () => undefined,
    log: makeLogger((line) => lines.push(line)),
    ...options,
  })

const install = (script: string): void => {
  const tool = join(directory.path, 'nvidia-smi')
  writeFileSync(tool, `#!/bin/sh\n${script}\n`)
  chmodSync(tool, 0o755)
  process.env['PATH'] = `${directory.path}${delimiter}${searchPath}`
}

const problems = async (look: LookAtHealth): Promise<string[]> =>
  (await look()).flatMap(({ area, seen }) => seen.map((own) => `${area} ${own.problem}`))

describe('who watches', () => {
  it("reads the kernel's log on from where it was, and no line in half", async () => {
    const kernelLog = join(directory.path, 'kmsg')
    writeFileSync(kernelLog, '6,1,1,-;I/O error, dev sda, sector 1\n')
    const look = watch({ kernelLog })
    expect((await look())[0]).toMatchObject({ area: 'kernel', isWhole: true })
    expect(await problems(look)).toEqual([])
    appendFileSync(kernelLog, '6,2,2,-;EDAC MC0: 1 U')
    expect(await problems(look)).toEqual([])
    appendFileSync(kernelLog, 'E memory read error\n6,3,3,-;fine\n')
    expect(await problems(look)).toEqual(['kernel MemoryError'])
    expect(await problems(look)).toEqual([])
  })

  it('sees how full the disk is', async () => {
    expect(await problems(watch())).toEqual([])
    expect(await problems(watch({ diskFullPercent: 0 }))).toEqual(['disk DiskNearlyFull'])
  })

  it('leaves out what it cannot look at, and says so once', async () => {
    const look = watch({ kernelLog: join(directory.path, 'nowhere') })
    expect((await look()).map((own) => own.area)).toEqual(['disk'])
    await look()
    expect(lines.filter((line) => line.includes('no look at kernel'))).toHaveLength(1)
  })

  it('asks nvidia-smi where there are GPUs, and nobody where there are none', async () => {
    const asked = join(directory.path, 'asked')
    install(`echo x >> ${asked}; echo No devices were found; exit 6`)
    expect((await watch()()).map((own) => own.area)).toEqual(['kernel', 'disk'])
    expect(await problems(watch({ gpus: [GPU] }))).toEqual(['gpu GpuMissing'])
    expect(readFileSync(asked, 'utf8')).toBe('x\n')
  })

  it('asks nvidia-smi the less often the longer it takes', async () => {
    install('sleep 0.3; echo No devices were found; exit 6')
    const look = watch({ gpus: [GPU] })
    const areas = async (): Promise<string[]> => (await look()).map((own) => own.area)
    expect(await areas()).toContain('gpu')
    expect(await areas()).not.toContain('gpu')
  })

  it('knows the clock by the answers that come anyway', async () => {
    const server = createServer((_, response) => {
      response.setHeader('Date', new Date(Date.now() - 60_000).toUTCString())
      response.setHeader('content-type', 'application/x-amz-json-1.0')
      response.end('{}')
    })
    const table = openTable({ table: 't', region: 'us-east-1', endpoint: await listen(server) })
    const look = watch({ takeClockOffsetMs: table.takeClockOffsetMs })
    expect(await problems(look)).toEqual([])
    await table.readHead(ARN)
    expect(await problems(look)).toEqual(['clock ClockOff'])
    expect((await look()).map((own) => own.area)).toEqual(['kernel', 'disk'])
    table.close()
    await closed(server)
  })
})
