/**
 * Burn-in: what a machine must prove before it carries work, as a pool's owner writes it.
 *
 * A suite is a list of checks. Each stands for one question to the machine, with parameters, a time
 * to answer in, and limits for what it measures; a preset stands for the checks that most people
 * want of a kind of machine. Whoever names a check again after a preset says it anew, so a suite is
 * a preset with changes. What a node is asked is the suite spelt out: nothing is left to defaults
 * that a newer release might read differently.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../base/equal.ts'
import { frozen } from '../base/frozen.ts'
import { onceFor, remembered } from '../base/remembered.ts'
import { LIMITS } from './limits.ts'
import { nameSchema } from './names.ts'
import { amountSchema } from './quantities.ts'

export const measureNameSchema = z
  .string()
  .max(63)
  .regex(/^[A-Za-z][A-Za-z0-9]*$/, { error: 'must be letters and digits, like writeMibPerSecond' })

export const measureLimitSchema = z
  .strictObject({
    min: amountSchema.optional().describe('less is too little'),
    max: amountSchema.optional().describe('more is too much'),
    otherwise: z
      .enum(['WARN', 'FAIL'])
      .default('FAIL')
      .describe('what the check comes to beyond them'),
  })
  .refine(({ min, max }) => min !== undefined || max !== undefined, {
    error: 'must have min, max or both',
  })
  .meta({ id: 'MeasureLimit' })
export type MeasureLimit = z.infer<typeof measureLimitSchema>

const seconds = (most: number): z.ZodInt => z.int().min(1).max(most)

/** The result that tells of the machine's GPUs as they are known, whatever was asked. */
export const HARDWARE_RESULT = 'hardware'

/** What results are called that nobody asked for by that name. */
const RESERVED: readonly string[] = ['gpu-reset', HARDWARE_RESULT]
const ownNameSchema = nameSchema.refine((name) => !RESERVED.includes(name), {
  error: `must not be one of ${RESERVED.join(', ')}: drover calls results of its own so`,
})

/** What every check has, whatever it asks. */
const common = (timeoutSeconds: number) => ({
  name: ownNameSchema.optional().describe('what it is called; without it, as its check'),
  timeoutSeconds: seconds(21_600).default(timeoutSeconds).describe('the time it may take'),
  limits: z
    .record(measureNameSchema, measureLimitSchema)
    .default({})
    .describe('by measure: what it must lie between'),
})

const cpu = z
  .strictObject({
    check: z.literal('cpu'),
    ...common(60),
    seconds: z.number().min(0.1).max(3_600).default(0.4).describe('how long every core computes'),
  })
  .refine(({ seconds: own, timeoutSeconds }) => own < timeoutSeconds, {
    error: 'must be less than timeoutSeconds',
    path: ['seconds'],
  })
  .meta({ id: 'CpuCheck' })

const memory = z
  .strictObject({
    check: z.literal('memory'),
    ...common(120),
    mib: z.int().min(1).max(1_048_576).default(64).describe('MiB that are written and read back'),
  })
  .meta({ id: 'MemoryCheck' })

const disk = z
  .strictObject({
    check: z.literal('disk'),
    ...common(60),
    mib: z
      .int()
      .min(1)
      .max(1_048_576)
      .default(LIMITS.diskCheckMib)
      .describe('MiB that are written and read back'),
  })
  .meta({ id: 'DiskCheck' })

const clock = z
  .strictObject({ check: z.literal('clock'), ...common(10) })
  .meta({ id: 'ClockCheck' })

const network = z
  .strictObject({
    check: z.literal('network'),
    ...common(30),
    reach: z
      .array(
        z.string().regex(/^[^:\s]+:\d{1,5}$/, { error: 'must be a host and a port, like a.b:443' }),
      )
      .max(20)
      .default([])
      .describe('`host:port` that must be reachable, beside the table'),
  })
  .meta({ id: 'NetworkCheck' })

const kernel = z
  .strictObject({ check: z.literal('kernel'), ...common(20) })
  .meta({ id: 'KernelCheck' })

const devices = z
  .strictObject({
    check: z.literal('gpu-devices'),
    ...common(60),
    count: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe('GPUs that must be there; without it, what the instance type has'),
    minDriver: z
      .string()
      .regex(/^\d{1,4}(\.\d{1,4}){0,2}$/, { error: 'must be a version, like 580.95.05' })
      .optional()
      .describe('the oldest driver that will do'),
  })
  .meta({ id: 'GpuDevicesCheck' })

const gpuMemory = z
  .strictObject({
    check: z.literal('gpu-memory'),
    ...common(60),
    ecc: z.enum(['on', 'any']).default('any').describe('whether error correction must be on'),
  })
  .meta({ id: 'GpuMemoryCheck' })

const gpuLink = z
  .strictObject({
    check: z.literal('gpu-link'),
    ...common(60),
    minWidth: z.int().min(1).max(32).default(8).describe('lanes of PCIe to each GPU'),
    minGeneration: z
      .int()
      .min(1)
      .max(7)
      .default(3)
      .describe('of PCIe, while `load` runs: a link at rest is slow'),
    load: z
      .array(z.string().min(1).max(1_024))
      .min(1)
      .max(64)
      .optional()
      .describe('a program that keeps the GPUs busy meanwhile, and its words'),
    minNvlinks: z.int().min(0).max(64).default(0).describe('of each GPU; any that is down fails'),
  })
  .meta({ id: 'GpuLinkCheck' })

const gpuHeat = z
  .strictObject({
    check: z.literal('gpu-heat'),
    ...common(60),
    maxCelsius: z.number().min(1).max(120).default(85).describe('of the hottest GPU'),
  })
  .meta({ id: 'GpuHeatCheck' })

const gpuXid = z
  .strictObject({ check: z.literal('gpu-xid'), ...common(20) })
  .meta({ id: 'GpuXidCheck' })

const dcgm = z
  .strictObject({
    check: z.literal('dcgm'),
    ...common(7_200),
    level: z.int().min(1).max(4).default(2).describe('seconds, minutes, a quarter hour, an hour'),
  })
  .meta({ id: 'DcgmCheck' })

const command = z
  .strictObject({
    check: z.literal('command'),
    ...common(600),
    name: ownNameSchema.describe('what it is called'),
    command: z
      .array(z.string().min(1).max(1_024))
      .min(1)
      .max(64)
      .optional()
      .describe('a program and its words; with an image, in place of what that runs'),
    image: z
      .string()
      .min(1)
      .max(1_024)
      .optional()
      .describe('a container image to run it in, with every GPU'),
  })
  .refine(({ command: words, image }) => words !== undefined || image !== undefined, {
    error: 'must have a command, an image, or both',
  })
  .meta({ id: 'CommandCheck' })

const ABOUT_MACHINES = [cpu, memory, disk, clock, network, kernel] as const
const ABOUT_GPUS = [devices, gpuMemory, gpuLink, gpuHeat, gpuXid, dcgm] as const
const KINDS = [...ABOUT_MACHINES, ...ABOUT_GPUS, command] as const

export const checkSpecSchema = z
  .discriminatedUnion('check', KINDS, {
    error: `must be one of ${KINDS.map(({ shape }) => shape.check.value).join(', ')}`,
  })
  .meta({ id: 'Check', description: 'a check with parameters and limits' })
export type CheckSpec = z.infer<typeof checkSpecSchema>
export type CheckKind = CheckSpec['check']
export type CheckOf<K extends CheckKind> = Extract<CheckSpec, { check: K }>

/**
 * A check as a node is asked it, with its name. Loose, because an agent must be able to read a
 * suite with checks that it does not know yet: those come to UNKNOWN, and the rest is run.
 */
export const askedCheckSchema = z.looseObject({
  name: z.string().max(63),
  check: z.string(),
  timeoutSeconds: z.int().min(1),
  limits: z.record(measureNameSchema, measureLimitSchema).default({}),
})
export type AskedCheck = z.infer<typeof askedCheckSchema>

const kindsOf = <S extends { shape: { check: { value: CheckKind } } }>(
  schemas: readonly S[],
): readonly S['shape']['check']['value'][] => schemas.map(({ shape }) => shape.check.value)

/**
 * What mends rather than asks: every GPU of the machine is reset before its checks are run again.
 * No pool asks for it; it is a rung of the ladder (`onFailure`).
 */
export const GPU_RESET = {
  ...{ name: 'gpu-reset', check: 'gpu-reset', timeoutSeconds: 180, limits: {} },
} as const satisfies AskedCheck

/** Checks that can be asked for by their name alone. */
const PLAIN = kindsOf([...ABOUT_MACHINES, ...ABOUT_GPUS])

const BASIC = ['cpu', 'memory', 'disk', 'clock', 'network'] as const
const GPU = ['kernel', 'gpu-devices', 'gpu-memory', 'gpu-link', 'gpu-heat', 'gpu-xid'] as const

type PresetEntry = Exclude<CheckKind, 'command'> | z.input<typeof checkSpecSchema>

/** What most people want of any machine, of one with GPUs in minutes, and of one in an hour. */
const PRESETS = {
  basic: BASIC,
  'gpu-quick': [...BASIC, ...GPU, { check: 'dcgm', level: 2, timeoutSeconds: 900 }],
  'gpu-deep': [
    { check: 'cpu', seconds: 60, timeoutSeconds: 180 },
    { check: 'memory', mib: 16_384, timeoutSeconds: 900 },
    { check: 'disk', mib: 4_096, timeoutSeconds: 600 },
    ...(['clock', 'network'] as const),
    ...GPU,
    { check: 'dcgm', level: 4, timeoutSeconds: 10_800 },
  ],
} as const satisfies Record<string, readonly PresetEntry[]>
type Preset = keyof typeof PRESETS

const PRESET_NAMES = Object.keys(PRESETS) as readonly Preset[]

const checkNameSchema = z
  .enum([...PRESET_NAMES, ...PLAIN])
  .meta({ id: 'CheckName', description: 'a preset, or a check as it is by default' })

const entrySchema = z.union([checkNameSchema, checkSpecSchema])

export const burnInSchema = z.strictObject({
  checks: z
    .array(entrySchema)
    .min(1)
    .max(LIMITS.checksPerSuiteMax)
    .refine((own) => checksIn(own).length <= LIMITS.checksPerSuiteMax, {
      error: `must be ${String(LIMITS.checksPerSuiteMax)} checks at most, those of presets counted`,
    })
    .default(['basic'])
    .describe('what a machine must pass before it carries work: presets, checks, or both'),
  timeoutSeconds: seconds(86_400)
    .optional()
    .describe('a burn-in that takes longer has not passed; without it, what its checks may take'),
  retestEverySeconds: z
    .int()
    .min(60)
    .max(31_536_000)
    .optional()
    .describe('how often it is repeated; without it, never'),
  retestBusy: z
    .enum(['never', 'drain'])
    .default('never')
    .describe('whether a busy node is drained for it, as far as its replicas can spare it'),
  quarantineSeconds: z
    .int()
    .min(0)
    .max(LIMITS.quarantineSecondsMax)
    .default(3_600)
    .describe('how long a failed machine is kept for inspection'),
  onFailure: z
    .enum(['reset', 'reboot', 'replace'])
    .default('replace')
    .describe('how far drover goes to mend a failed machine before it replaces it'),
})
export type BurnInSpec = z.infer<typeof burnInSchema>

export type Suite = {
  /** Says what is in it, so a verdict on yesterday's shorter suite never admits under today's. */
  readonly name: string
  readonly checks: readonly AskedCheck[]
  readonly timeoutSeconds: number
}

/** What the catalogue knows of a machine before anybody has looked. */
export type Known = { readonly gpuCount: number }

/**
 * The suite spelt out for a machine, in the order in which it is run; for any machine of the pool
 * without one, and the default suite without a pool. A machine without GPUs is asked nothing about
 * them.
 */
export function suiteOf(burnIn: BurnInSpec = DEFAULT, known?: Known): Suite {
  return speller(burnIn)(known?.gpuCount)
}

/** Whose certificate, and how young, lets the short suite do. */
export const certificateSchema = z.object({ suite: z.string(), withinMs: z.int() })
export type AskedCertificate = z.infer<typeof certificateSchema>

export type Asked = {
  readonly suite: Suite
  /** Where it is the suite in short: with this it is enough. */
  readonly certificate?: AskedCertificate
}

/**
 * What a new machine is asked first: the suite in short, minutes where the whole takes an hour, for
 * GPUs that passed the whole of it a while ago; the whole where it has no short form, or the
 * machine no GPU.
 */
export function firstAskedOf(burnIn: BurnInSpec | undefined, known: Known): Asked {
  const whole = suiteOf(burnIn, known)
  if (burnIn === undefined || known.gpuCount === 0 || !burnIn.checks.includes(LONG)) {
    return { suite: whole }
  }
  const everySeconds = burnIn.retestEverySeconds
  const withinMs = everySeconds === undefined ? LIMITS.certificateMs : everySeconds * 1000
  const certificate = { suite: whole.name, withinMs }
  return { suite: suiteOf(shortened(burnIn), known), certificate }
}

const LONG = 'gpu-deep' satisfies Preset
const SHORT = 'gpu-quick' satisfies Preset

const shortened = remembered(({ checks, ...burnIn }: BurnInSpec): BurnInSpec =>
  frozen({ ...burnIn, checks: checks.map((entry) => (entry === LONG ? SHORT : entry)) }),
)

const DEFAULT = frozen(burnInSchema.parse({}))

const speller = remembered((burnIn: BurnInSpec) =>
  onceFor((gpuCount: number | undefined) => spell(burnIn, gpuCount)),
)

function spell(burnIn: BurnInSpec, gpuCount: number | undefined): Suite {
  const all = checksIn(burnIn.checks)
  const plain = all.filter(({ check }) => !isAboutGpus(check))
  const asked = gpuCount === 0 && plain.length > 0 ? plain : all
  const checks = asked.map((own) =>
    own.check === 'gpu-devices' && gpuCount !== undefined && gpuCount > 0
      ? { ...own, count: own.count ?? gpuCount }
      : own,
  )
  const label = burnIn.checks.map(entryName).join('+').slice(0, LABEL_MAX_CHARS)
  const allowed = checks.reduce((sum, own) => sum + own.timeoutSeconds, 0)
  return {
    name: `${label}#${hash('sha256', canonicalJson(checks)).slice(0, 8)}`,
    checks,
    timeoutSeconds: burnIn.timeoutSeconds ?? Math.max(allowed, LIMITS.burnInTimeoutSeconds),
  }
}

/** Presets spelt out, and of several with one name the last. */
function checksIn(entries: readonly Entry[]): readonly (CheckSpec & { readonly name: string })[] {
  const said = entries.flatMap(checksOf).map((own) => ({ ...own, name: checkName(own) }))
  return [...new Map(said.map((own) => [own.name, own])).values()]
}

const GPU_KINDS: ReadonlySet<string> = new Set(kindsOf(ABOUT_GPUS))

/** True for a check whose failure is a GPU's, or of all of them together. */
export function isAboutGpus(check: string): boolean {
  return GPU_KINDS.has(check)
}

const LABEL_MAX_CHARS = 40

export function checkName(spec: CheckSpec): string {
  return spec.name ?? spec.check
}

type Entry = z.infer<typeof entrySchema>

/** What an entry is called: a preset's own name, or the check's. */
export function entryName(entry: Entry): string {
  return typeof entry === 'string' ? entry : checkName(entry)
}

function checksOf(entry: Entry): readonly CheckSpec[] {
  if (typeof entry !== 'string') return [entry]
  const entries: readonly PresetEntry[] = isPreset(entry) ? PRESETS[entry] : [entry]
  return entries.map((own) => checkSpecSchema.parse(typeof own === 'string' ? { check: own } : own))
}

const isPreset = (entry: string): entry is Preset => entry in PRESETS
