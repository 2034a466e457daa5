import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const captures = join(root, 'test', 'agent', 'captures')
let tools = ''
beforeEach(() => {
  tools = mkdtempSync(join(tmpdir(), 'drover-here-'))
})
afterEach(() => {
  rmSync(tools, { recursive: true, force: true })
})

type Run = { readonly code: number; readonly out: string }

function burnIn(...checks: string[]): Promise<Run> {
  const searchPath = [tools, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter)
  const env = { ...process.env, PATH: searchPath, NO_COLOR: '1' }
  return new Promise((resolve) => {
    const words = [join(root, 'local', 'burn-in-here.ts'), ...checks]
    execFile(process.execPath, words, { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out: stdout + stderr })
    })
  })
}

describe('npm run burn-in:here', () => {
  it('says that there is no GPU, and tests the rest', async () => {
    const { code, out } = await burnIn('cpu', 'gpu-devices')
    expect(code).toBe(0)
    expect(out).toContain('there is no NVIDIA GPU here')
    expect(out).toMatch(/^cpu +PASS +cores \d+/m)
    expect(out).not.toMatch(/^gpu-devices/m)
  })

  it('asks the GPUs that are there, and ends with 1 where one is bad', async () => {
    const smi = join(tools, 'nvidia-smi')
    const capture = join(captures, 'nvidia-smi-h100-580.xml')
    writeFileSync(smi, `#!/bin/sh\nsed 's/row_pending>No/row_pending>Yes/' ${capture}\n`)
    chmodSync(smi, 0o755)
    const { code, out } = await burnIn('gpu-devices', 'gpu-memory')
    expect(code).toBe(1)
    expect(out).toMatch(/^gpu-devices +PASS +gpus 2/m)
    expect(out).toMatch(/^gpu-memory +FAIL .*row remap pending is Yes/m)
    expect(out.trimEnd().endsWith('FAIL')).toBe(true)
  })

  it('says what may stand there where it knows no such check', async () => {
    const { code, out } = await burnIn('levitation')
    expect(code).toBe(2)
    expect(out).toContain('checks[0]: must be one of basic, gpu-quick')
  })
})
