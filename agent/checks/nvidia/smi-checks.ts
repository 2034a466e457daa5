/**
 * The checks that read `nvidia-smi -q -x`: are the GPUs all there, is their memory sound, are their
 * links whole, are they cool.
 *
 * Sources: NVML's header for the values, `docs/burn-in.md` for who prints what. Thresholds that
 * depend on a machine are parameters of the check or limits of its measures.
 */
import type { CheckOf } from '#shared/model/burn-in.ts'
import { found, type Finding, type Measures } from '../finding.ts'
import { always, ifSaid, judgeGpus, measured, says, type Rule } from './rules.ts'
import { countOf, numberOf, type Gpu, type SmiLog } from './smi-log.ts'

const no = says('No', 'Yes')
const notActive = says('Not Active', 'Active')
const isUuid = (text: string): boolean =>
  /^(GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.test(text)

const DEVICE_RULES: readonly Rule[] = [
  {
    what: 'UUID',
    paths: ['uuid'],
    isFine: (text) => (isUuid(text) ? true : undefined),
    otherwise: 'FAIL',
    needed: always,
  },
  {
    what: 'memory size',
    paths: ['fb_memory_usage/total'],
    isFine: (text) => atLeast(1)(numberOf(text)),
    otherwise: 'FAIL',
    needed: always,
  },
  // The driver's own advice is the best there is; what it will advise one day is no "None".
  {
    what: 'recovery action',
    paths: ['gpu_recovery_action'],
    isFine: (text) => text.toLowerCase() === 'none',
    otherwise: 'FAIL',
    needed: ifSaid,
    problem: 'GpuResetNeeded',
  },
  {
    what: 'reset required',
    paths: ['gpu_reset_status/reset_required'],
    isFine: no,
    otherwise: 'FAIL',
    needed: ifSaid,
    problem: 'GpuResetNeeded',
  },
]

/** All there, all answering, none of them wanting a reset. */
export function judgeDevices(log: SmiLog, spec: CheckOf<'gpu-devices'>): Finding {
  const { gpus, attached, aside, driver } = log
  const measures = { gpus: gpus.length }
  const lost = /unable to determine the device handle[^\n]*/i.exec(aside)?.[0]
  if (lost !== undefined) return found('FAIL', lost, measures)
  if (attached !== gpus.length) {
    const says = Number.isNaN(attached) ? 'does not say how many' : `says ${String(attached)}`
    return found('UNKNOWN', `nvidia-smi shows ${String(gpus.length)} GPUs and ${says}`, measures)
  }
  const count = spec.count ?? Math.max(1, gpus.length)
  if (gpus.length !== count) {
    return found('FAIL', `${String(gpus.length)} GPUs of ${String(count)} are there`, measures)
  }
  if (spec.minDriver !== undefined && !isNotOlder(driver, spec.minDriver)) {
    const text = `the driver is ${driver || 'not told'}, and ${spec.minDriver} is asked for`
    return found(driver === '' ? 'UNKNOWN' : 'INFRA', text, measures)
  }
  const uuids = new Set(gpus.map((gpu) => JSON.stringify(gpu.at('uuid'))))
  if (uuids.size < gpus.length) return found('FAIL', 'two GPUs have the same UUID', measures)
  const finding = judgeGpus(gpus, DEVICE_RULES, measures)
  return finding.verdict === 'PASS' && aside !== '' ? found('WARN', aside, measures) : finding
}

/** Drivers are counted in numbers between dots: `580.95.05`. */
function isNotOlder(driver: string, than: string): boolean {
  const [own, other] = [driver, than].map((text) => text.split('.').map(Number))
  for (const [i, least] of (other ?? []).entries()) {
    const part = own?.[i] ?? 0
    if (part !== least) return part > least
  }
  return true
}

const UNCORRECTED = [
  'ecc_errors/volatile/sram_uncorrectable',
  'ecc_errors/volatile/sram_uncorrectable_parity',
  'ecc_errors/volatile/sram_uncorrectable_secded',
  'ecc_errors/volatile/dram_uncorrectable',
  'ecc_errors/volatile/double_bit/total',
]

const hasEcc = (gpu: Gpu): boolean => {
  const said = gpu.at('ecc_mode/current_ecc')
  return said.told === 'value' && said.text === 'Enabled'
}

const MEMORY_RULES: readonly Rule[] = [
  {
    what: 'ECC mode',
    paths: ['ecc_mode/current_ecc'],
    isFine: says('Enabled', 'Disabled'),
    otherwise: 'WARN',
    needed: ifSaid,
  },
  {
    what: 'ECC counters',
    paths: UNCORRECTED,
    isFine: (text) => atMost(Infinity)(countOf(text)),
    otherwise: 'FAIL',
    needed: hasEcc,
  },
  ...UNCORRECTED.map((path) => ({
    what: `uncorrected errors (${path.replace('ecc_errors/volatile/', '')})`,
    paths: [path],
    isFine: (text: string) => atMost(0)(countOf(text)),
    otherwise: 'FAIL' as const,
    needed: ifSaid,
    problem: 'GpuMemoryError' as const,
  })),
  ...(
    [
      ['SRAM threshold exceeded', 'ecc_errors/aggregate/sram_threshold_exceeded', 'Failed'],
      ['channel repair pending', 'ecc_errors/channel_repair_pending', 'Pending'],
      ['TPC repair pending', 'ecc_errors/tpc_repair_pending', 'Pending'],
      ['unrepairable memory', 'ecc_errors/unrepairable_memory', 'Failed'],
      ['page retirement pending', 'retired_pages/pending_blacklist', 'Pending'],
      ['page retirement pending', 'retired_pages/pending_retirement', 'Pending'],
      ['row remap pending', 'remapped_rows/remapped_row_pending', 'Pending'],
      ['row remap failure', 'remapped_rows/remapped_row_failure', 'Failed'],
    ] as const
  ).map(([what, path, repair]) => ({
    what,
    paths: [path],
    isFine: no,
    otherwise: 'FAIL' as const,
    needed: ifSaid,
    problem: `GpuRepair${repair}` as const,
    // Nothing is left to repair it with.
    ...(repair === 'Failed' ? { needs: 'replace' as const } : {}),
  })),
]

/** No error that ECC could not mend, none that waits for a reset, no repair that failed. */
export function judgeMemory({ gpus }: SmiLog, spec: CheckOf<'gpu-memory'>): Finding {
  const rows = 'remapped_rows/remapped_row'
  const measures: Measures = {
    uncorrectedErrors: total(UNCORRECTED.flatMap((path) => measured(gpus, [path], countOf))),
    remappedRowsUncorrected: total(measured(gpus, [`${rows}_unc`], countOf)),
    remappedRowsCorrected: total(measured(gpus, [`${rows}_corr`], countOf)),
  }
  const rules = spec.ecc === 'on' ? [ECC_ON, ...MEMORY_RULES] : MEMORY_RULES
  return gpus.length === 0 ? NO_GPUS : judgeGpus(gpus, rules, measures)
}

const ECC_ON: Rule = {
  what: 'ECC mode',
  paths: ['ecc_mode/current_ecc'],
  isFine: says('Enabled', 'Disabled'),
  otherwise: 'FAIL',
  needed: always,
}

const NO_GPUS = found('UNKNOWN', 'nvidia-smi shows no GPU')

const WIDTH = 'pci/pci_gpu_link_info/link_widths/current_link_width'
const GENERATION = 'pci/pci_gpu_link_info/pcie_gen/current_link_gen'

/**
 * A link at rest runs at its lowest generation, so that is judged only `underLoad`. NVLink's fabric
 * comes up late: while it does the check is INFRA.
 */
export function judgeLink(
  { gpus }: SmiLog,
  spec: CheckOf<'gpu-link'>,
  underLoad: boolean,
): Finding {
  const widths = measured(gpus, [WIDTH], numberOf)
  const generations = measured(gpus, [GENERATION], numberOf)
  const measures: Measures = {
    ...(widths.length === 0 ? {} : { leastPcieWidth: Math.min(...widths) }),
    ...(generations.length === 0 ? {} : { leastPcieGeneration: Math.min(...generations) }),
    pcieReplays: total(measured(gpus, ['pci/replay_counter'], countOf)),
  }
  const width: Rule = {
    what: 'PCIe width',
    paths: [WIDTH],
    isFine: (text) => atLeast(spec.minWidth)(numberOf(text)),
    otherwise: 'FAIL',
    needed: always,
  }
  const generation: Rule = {
    what: 'PCIe generation',
    paths: [GENERATION],
    isFine: (text) => atLeast(spec.minGeneration)(numberOf(text)),
    otherwise: 'FAIL',
    needed: always,
  }
  const rules = [width, ...(underLoad ? [generation] : []), ...FABRIC_RULES]
  return gpus.length === 0 ? NO_GPUS : judgeGpus(gpus, rules, measures)
}

const FABRIC_RULES: readonly Rule[] = [
  {
    what: 'fabric state',
    paths: ['fabric/state'],
    isFine: (text) => text === 'Completed',
    otherwise: 'INFRA',
    needed: ifSaid,
  },
  {
    what: 'fabric status',
    paths: ['fabric/status'],
    isFine: (text) => text === 'Success',
    otherwise: 'FAIL',
    needed: ifSaid,
  },
  {
    what: 'fabric health',
    paths: ['fabric/health/summary'],
    isFine: (text) => text === 'Healthy',
    otherwise: 'FAIL',
    needed: ifSaid,
  },
]

const TEMPERATURE = 'temperature/gpu_temp'
const MARGIN = 'temperature/gpu_temp_tlimit'
const reason = (name: string): readonly string[] => [
  `clocks_event_reasons/clocks_event_reason_${name}`,
  `clocks_throttle_reasons/clocks_throttle_reason_${name}`,
]

/** Cool enough, and not slowed down by heat or by the power supply. */
export function judgeHeat({ gpus }: SmiLog, spec: CheckOf<'gpu-heat'>): Finding {
  const degrees = measured(gpus, [TEMPERATURE], numberOf)
  const margins = measured(gpus, [MARGIN], numberOf)
  const measures: Measures = {
    ...(degrees.length === 0 ? {} : { hottestCelsius: Math.max(...degrees) }),
    ...(margins.length === 0 ? {} : { leastMarginCelsius: Math.min(...margins) }),
  }
  const temperature: Rule = {
    what: 'temperature',
    paths: [TEMPERATURE],
    isFine: (text) => atMost(spec.maxCelsius)(numberOf(text)),
    otherwise: 'FAIL',
    needed: always,
  }
  return gpus.length === 0 ? NO_GPUS : judgeGpus(gpus, [temperature, ...HEAT_RULES], measures)
}

const HEAT_RULES: readonly Rule[] = [
  {
    what: 'margin to its limit',
    paths: [MARGIN],
    isFine: (text) => atLeast(1)(numberOf(text)),
    otherwise: 'FAIL',
    needed: ifSaid,
    problem: 'GpuSlowed',
  },
  ...[
    ['slowed by hardware', 'hw_slowdown'],
    ['slowed by heat', 'hw_thermal_slowdown'],
    ['slowed by its power supply', 'hw_power_brake_slowdown'],
  ].map(([what = '', name = '']) => ({
    what,
    paths: reason(name),
    isFine: notActive,
    otherwise: 'FAIL' as const,
    needed: always,
    problem: 'GpuSlowed' as const,
  })),
  {
    what: 'slowed by the driver for heat',
    paths: reason('sw_thermal_slowdown'),
    isFine: notActive,
    otherwise: 'WARN',
    needed: ifSaid,
  },
]

/** What a GPU in service is held against: whether it is hot is for its clocks to say. */
export const WATCHED_RULES: readonly Rule[] = [...DEVICE_RULES, ...MEMORY_RULES, ...HEAT_RULES]

function atLeast(least: number): (value: number) => boolean | undefined {
  return (value) => (Number.isNaN(value) ? undefined : value >= least)
}

function atMost(most: number): (value: number) => boolean | undefined {
  return (value) => (Number.isNaN(value) ? undefined : value <= most)
}

const total = (values: readonly number[]): number => values.reduce((sum, own) => sum + own, 0)
