/**
 * What `dcgmi diag -r N -j` prints, of DCGM 3 and 4.
 *
 * The two have other keys, other names for the same tests, and warnings as text or as objects; what
 * a failed test says of the GPU is the severity of its errors where there is one. A test that was
 * skipped has shown nothing: a level passes only where the tests that make it up have passed.
 *
 * Source: DCGM's `dcgmi/Diag.cpp`, `NvvsJsonStrings.h` and `dcgm_errors.h`, tags 3.1.8 to 4.6.0.
 */
import { z } from 'zod'
import { worst, type VerdictName } from '#shared/model/verdict.ts'
import { found, type FaultyDevice, type Finding, type Measures } from '../finding.ts'

type Warning = { readonly text: string; readonly severity: number | undefined }

/** 3.3.9 calls its text `warnings`. */
const warningSchema = z
  .object({
    warning: z.string().optional(),
    warnings: z.string().optional(),
    error_severity: z.number().optional(),
  })
  .transform((own): Warning => ({
    text: own.warning ?? own.warnings ?? '',
    severity: own.error_severity,
  }))

const plainWarning = z.string().transform((text): Warning[] => [{ text, severity: undefined }])

/** Some versions leave holes in their lists. */
const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item.nullable())
    .default([])
    .transform((all) => all.filter((own) => own !== null))

const resultSchema = z.object({
  status: z.string(),
  warnings: z.union([plainWarning, list(warningSchema)]).optional(),
  gpu_id: z.union([z.string(), z.number()]).optional(),
  gpu_ids: z.union([z.string(), z.number()]).optional(),
  entity_id: z.number().optional(),
})

const bodySchema = z.object({
  runtime_error: z.string().optional(),
  test_categories: list(
    z.object({ tests: list(z.object({ name: z.string(), results: list(resultSchema) })) }),
  ).optional(),
})

const rootSchema = z.union([
  z.object({ 'DCGM Diagnostic': bodySchema }).transform((own) => own['DCGM Diagnostic']),
  z.object({ 'DCGM GPU Diagnostic': bodySchema }).transform((own) => own['DCGM GPU Diagnostic']),
])

type Test = NonNullable<z.infer<typeof bodySchema>['test_categories']>[number]['tests'][number]
type Result = Test['results'][number]

/** The tests that make up a level, as DCGM 4 and DCGM 3 call them; each adds to the last. */
const CORE: readonly (readonly (readonly string[])[])[] = [
  [['software', 'nvml library']],
  [['memory', 'gpu memory'], ['pcie']],
  [['diagnostic'], ['targeted_stress', 'targeted stress']],
  [['memtest']],
]

/** Never throws. `level`: 1 to 4. */
export function judgeDcgm(stdout: string, level: number): Finding {
  const body = bodyOf(stdout)
  if (body === undefined) {
    const said = stdout.trim().split('\n').at(-1) ?? ''
    return NO_ENGINE.test(stdout) ? found('INFRA', said) : found('UNKNOWN', `no result: ${said}`)
  }
  if (body.runtime_error !== undefined) return found('INFRA', body.runtime_error)
  const tests = (body.test_categories ?? []).flatMap((own) => own.tests)
  const results = tests.flatMap((test) => test.results.map((own) => faultOf(test, own)))
  const count = (status: string): number =>
    tests.flatMap((own) => own.results).filter((own) => isA(own, status)).length
  const measures: Measures = {
    passed: count('pass'),
    failed: count('fail'),
    skipped: count('skip'),
  }
  const faults = results.flatMap((own) => own ?? [])
  const untested = CORE.slice(0, level)
    .flat()
    .filter((names) => !tests.some((own) => names.includes(own.name.toLowerCase()) && wasRun(own)))
    .map(([name = '']) => name)
  if (untested.length > 0) {
    faults.push({ verdict: 'UNKNOWN', text: `DCGM did not test ${untested.join(', ')}` })
  }
  if (faults.length === 0) return found('PASS', '', measures)
  const verdict = worst(faults.map((own) => own.verdict))
  const told = faults.filter((own) => own.verdict === verdict).map((own) => own.text)
  const devices = faults.flatMap(({ index, ...own }): FaultyDevice[] =>
    index === undefined ? [] : [{ at: { index }, ...own }],
  )
  return { ...found(verdict, told.slice(0, 3).join('; '), measures), devices }
}

const NO_ENGINE = /unable to (establish a connection|connect to host engine)/i

function bodyOf(stdout: string): z.infer<typeof bodySchema> | undefined {
  const from = stdout.indexOf('{')
  const to = stdout.lastIndexOf('}')
  if (from < 0 || to < from) return undefined
  try {
    return rootSchema.parse(JSON.parse(stdout.slice(from, to + 1)))
  } catch {
    return undefined
  }
}

const isA = ({ status }: Result, wanted: string): boolean => status.toLowerCase() === wanted

/** One that was skipped on some GPU has shown nothing there. */
const wasRun = ({ results }: Test): boolean =>
  results.length > 0 && results.every((own) => !isA(own, 'skip'))

type Fault = { readonly index?: number; readonly verdict: VerdictName; readonly text: string }

function faultOf({ name }: Test, result: Result): Fault | undefined {
  if (isA(result, 'pass') || isA(result, 'skip')) return undefined
  const warnings = result.warnings ?? []
  const said = warnings.map((own) => own.text).filter((own) => own !== '')
  const gpu = result.gpu_id ?? result.gpu_ids ?? result.entity_id
  const where = gpu === undefined ? '' : ` on GPU ${String(gpu)}`
  const which = /^\d{1,3}$/.test(String(gpu)) ? { index: Number(gpu) } : {}
  const text = `${name}${where}: ${said[0] ?? result.status}`
  if (!isA(result, 'fail') && !isA(result, 'warn')) return { ...which, verdict: 'UNKNOWN', text }
  const known = warnings.flatMap(({ severity: own }) => (own === undefined ? [] : [own]))
  const verdicts = known.map((own) => verdictOf(own, name))
  const otherwise = isA(result, 'warn') ? 'WARN' : 'FAIL'
  return { ...which, verdict: verdicts.length === 0 ? otherwise : worst(verdicts), text }
}

const WATCH = 1
const SET_UP_BADLY = 5
const SOFTWARE = /^(software|persistence mode|environment variables|graphics processes)$/i

/**
 * All but two blame the hardware. What is set up badly, like a driver that forgets between runs,
 * may be lived with; a test that could not be made for it has shown nothing.
 */
function verdictOf(severity: number, test: string): VerdictName {
  if (severity === WATCH) return 'WARN'
  if (severity !== SET_UP_BADLY) return 'FAIL'
  return SOFTWARE.test(test) ? 'WARN' : 'INFRA'
}
