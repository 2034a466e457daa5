/**
 * `dcgmi diag -r LEVEL -j` of an emulated instance, as DCGM 4 answers. It finds what nvidia-smi
 * finds.
 */
import { gpusHere, isBadNow } from './gpu.ts'

/** By level, each with those before it. */
const TESTS = [
  ['software'],
  ['memory', 'pcie'],
  ['diagnostic', 'targeted_stress', 'targeted_power'],
  ['memtest', 'pulse_test'],
]
/** DCGM's number for a row that could not be mapped away, and for hardware that must go. */
const ROW_REMAP_FAILURE = 80
const ISOLATE = 2

const level = Number(process.argv[process.argv.indexOf('-r') + 1])
const gpus = gpusHere()

function resultOf(gpu: (typeof gpus)[number], index: number, test: string): object {
  const own = { entity_group: 'GPU', entity_group_id: 1, entity_id: index }
  if (test !== 'memory' || !isBadNow(gpu)) return { ...own, status: 'Pass' }
  const warning = 'a row of memory could not be remapped'
  const told = { warning, error_id: ROW_REMAP_FAILURE, error_severity: ISOLATE }
  return { ...own, status: 'Fail', warnings: [told] }
}

const tests = TESTS.slice(0, level)
  .flat()
  .map((name) => ({ name, results: gpus.map((gpu, i) => resultOf(gpu, i, name)) }))
const answer = {
  'DCGM Diagnostic': {
    metadata: { version: '4.4.2' },
    test_categories: [{ category: 'All', tests }],
  },
}
console.log(JSON.stringify(answer))
