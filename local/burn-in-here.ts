/**
 * `npm run burn-in:here -- gpu-deep`: a suite on the machine at hand, without a herd around it.
 *
 * What asks the table (`clock`, `network`) is left out, for there is none. On a machine without an
 * NVIDIA GPU it says so, and runs the rest. It ends with 0 where everything passed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeError } from '#shared/base/errors.ts'
import { burnInSchema, suiteOf, type AskedCheck } from '#shared/model/burn-in.ts'
import type { GpuIdentity } from '#shared/model/hardware.ts'
import { breachesOf } from '#shared/model/measures.ts'
import { worst, type CheckResult } from '#shared/model/verdict.ts'
import { faultsOf } from '#shared/protocol/faults.ts'
import { readGpus } from '#agent/adapters/checks/gpu.ts'
import { makeChecks } from '#agent/adapters/checks/checks.ts'
import { paintFor } from '#cli/render/paint.ts'
import { burnInSection } from '#cli/views/facts.ts'

const ASKS_THE_TABLE: ReadonlySet<string> = new Set(['clock', 'network'])

async function main(wanted: readonly string[]): Promise<void> {
  const names = wanted.length === 0 ? ['gpu-quick'] : wanted
  const suite = burnInSchema.safeParse({ checks: names }, { reportInput: true })
  if (!suite.success) {
    const faults = faultsOf(suite.error.issues, burnInSchema)
    for (const { path, message } of faults) console.error(`${path}: ${message}`)
    process.exitCode = 2
    return
  }
  const gpus = await readGpus()
  if (gpus.length === 0)
    console.log('there is no NVIDIA GPU here (nvidia-smi finds none): none is tested')
  const { name, checks } = suiteOf(suite.data, { gpuCount: gpus.length })
  const asked = checks.filter(({ check }) => !ASKS_THE_TABLE.has(check))
  console.log(`${name}: ${asked.map((own) => own.name).join(', ')}\n`)
  const results = await runAll(asked, gpus)
  const verdict = worst(results.map((own) => own.verdict))
  const style = { paint: paintFor(process.env, process.stdout.isTTY), width: undefined }
  const at = new Date().toISOString()
  const burnIn = { verdict, suite: name, at, checks: [...results] }
  const { lines } = burnInSection({ burnIn }, style)
  console.log(`\n${lines.join('\n')}\n\n${verdict}`)
  if (verdict !== 'PASS') process.exitCode = 1
}

async function runAll(
  asked: readonly AskedCheck[],
  gpus: readonly GpuIdentity[],
): Promise<readonly CheckResult[]> {
  const directory = mkdtempSync(join(tmpdir(), 'drover-burn-in-'))
  const run = makeChecks({
    ...{ instanceId: 'here', path: join(directory, 'check.bin'), faults: [], gpus },
    ...{ diskMib: Infinity, kernelLog: '/dev/kmsg', endpoint: '' },
    clockOffsetMs: () => Promise.reject(new Error('there is no table here')),
  })
  const results: CheckResult[] = []
  try {
    for (const check of asked) {
      process.stdout.write(`${check.name} … `)
      const result = await run(check)
      const breach = breachesOf(result.measures, check.limits)[0]
      const verdict = worst([result.verdict, breach?.verdict ?? 'PASS'])
      results.push({ ...result, verdict, text: breach?.text ?? result.text, limits: check.limits })
      console.log(verdict)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return results
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(describeError(error))
  process.exitCode = 1
})
