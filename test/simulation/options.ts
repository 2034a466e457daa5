/**
 * What a simulated world is told from outside: its seed, its size, and a knob for each fault.
 *
 * Rates of calls are probabilities a call; what strikes machines or the herd is counted an hour or
 * a day. A profile is a setting of all the knobs.
 */
export type FaultKnobs = {
  // Calls of drover's functions
  /** A call at which its invocation dies: before it is done, or after. */
  readonly crash: number
  /** A call that fails and was not done. */
  readonly callFails: number
  /** A call that was done, and whose answer is lost. */
  readonly answerLost: number
  /** A transaction that loses against another one. */
  readonly conflict: number
  /** A call that takes seconds where it should take milliseconds. */
  readonly slow: number
  /** A scan of which some partitions are read when it begins, and the others when it ends. */
  readonly tornScan: number
  /** A batch of wakes that is handed to a second pass while the first one runs. */
  readonly redelivered: number
  /** A batch of the stream that is delivered twice. */
  readonly batchTwice: number
  /** Ticks and EC2's events that never arrive, that arrive twice, that arrive minutes late. */
  readonly eventLost: number
  readonly eventTwice: number
  readonly eventLate: number
  /** Most that a sender's clock is off. */
  readonly clockSkewMs: number

  // EC2
  readonly throttled: number
  readonly answersLost: number
  /** Calls of load balancers; `targetsOut` for minutes, `targetsLag` as far as it is allowed. */
  readonly targetsThrottled: number
  readonly targetsUnheard: number
  readonly targetsOut: number
  readonly targetsLag: number
  readonly neverBoots: number
  readonly bootsWithoutAgent: number
  readonly diesAtOnce: number
  /** An instance that a listing leaves out. */
  readonly unlisted: number
  /** How long a new instance is not listed. */
  readonly listDelayMs: number
  readonly interruptionsPerHour: number
  readonly stormsPerDay: number
  readonly droughtsPerDay: number
  /** Times a day that a type's spot price leaps, up or down, for a while. */
  readonly priceLeapsPerDay: number
  /** Machines with this herd's tags that no launch of its table knows. */
  readonly straysPerDay: number

  // Machines and agents
  readonly badHardware: number
  /** A GPU, whatever machine it is in. */
  readonly badGpus: number
  /** Times a day that a machine in service breaks, unseen until it is tested again. */
  readonly wearPerDay: number
  /** Times a day that what a pool boots is bad for a while: none of its new machines passes. */
  readonly badImagesPerDay: number
  readonly flakyChecks: number
  readonly agentHangsPerDay: number
  readonly agentRestartsPerDay: number
  /** A state file that does not survive its agent. */
  readonly stateLost: number
  readonly nonsensePerDay: number
  readonly machineDeathsPerDay: number
  readonly rebootsPerDay: number
  readonly processCrashesPerDay: number
  /** Times a day that an agent finds something on its machine, be it so or not. */
  readonly findingsPerDay: number
  /** Data that does not come, or other data than elsewhere. */
  readonly fetchFails: number
  readonly sourceChanged: number
  /** A report that takes minutes to be written. */
  readonly reportLate: number

  /** Times a day that the table cannot be reached for some minutes. */
  readonly outagesPerDay: number
}

export type FaultName = keyof FaultKnobs

const CALM: FaultKnobs = {
  crash: 0,
  callFails: 0,
  answerLost: 0,
  conflict: 0,
  slow: 0,
  tornScan: 0,
  redelivered: 0,
  batchTwice: 0,
  eventLost: 0,
  eventTwice: 0,
  eventLate: 0,
  clockSkewMs: 0,
  throttled: 0,
  answersLost: 0,
  targetsThrottled: 0,
  targetsUnheard: 0,
  targetsOut: 0,
  targetsLag: 0,
  neverBoots: 0,
  bootsWithoutAgent: 0,
  diesAtOnce: 0,
  unlisted: 0,
  listDelayMs: 1_000,
  interruptionsPerHour: 0,
  stormsPerDay: 0,
  droughtsPerDay: 0,
  priceLeapsPerDay: 0,
  straysPerDay: 0,
  badHardware: 0,
  badGpus: 0,
  wearPerDay: 0,
  badImagesPerDay: 0,
  flakyChecks: 0,
  agentHangsPerDay: 0,
  agentRestartsPerDay: 0,
  stateLost: 0,
  nonsensePerDay: 0,
  machineDeathsPerDay: 0,
  rebootsPerDay: 0,
  processCrashesPerDay: 0,
  findingsPerDay: 0,
  fetchFails: 0,
  sourceChanged: 0,
  reportLate: 0,
  outagesPerDay: 0,
}

/** What a herd on AWS meets in an ordinary month, and a little more of it. */
const ORDINARY: FaultKnobs = {
  ...CALM,
  crash: 0.0001,
  callFails: 0.0003,
  answerLost: 0.0002,
  conflict: 0.0002,
  slow: 0.0005,
  tornScan: 0.02,
  redelivered: 0.002,
  batchTwice: 0.002,
  eventLost: 0.002,
  eventTwice: 0.005,
  eventLate: 0.005,
  clockSkewMs: 50,
  throttled: 0.002,
  answersLost: 0.002,
  targetsThrottled: 0.002,
  targetsUnheard: 0.002,
  targetsOut: 0.001,
  targetsLag: 0.05,
  neverBoots: 0.002,
  bootsWithoutAgent: 0.002,
  diesAtOnce: 0.002,
  unlisted: 0.0001,
  listDelayMs: 2_000,
  interruptionsPerHour: 0.005,
  stormsPerDay: 0.05,
  droughtsPerDay: 1,
  priceLeapsPerDay: 4,
  straysPerDay: 0.5,
  badHardware: 0.005,
  badGpus: 0.01,
  wearPerDay: 0.1,
  badImagesPerDay: 0.1,
  flakyChecks: 0.005,
  agentHangsPerDay: 0.5,
  agentRestartsPerDay: 1,
  stateLost: 0.02,
  nonsensePerDay: 0.2,
  machineDeathsPerDay: 0.3,
  rebootsPerDay: 0.2,
  processCrashesPerDay: 2,
  findingsPerDay: 0.3,
  fetchFails: 0.01,
  sourceChanged: 0.001,
  reportLate: 0.001,
  outagesPerDay: 0.05,
}

/** Every fault, often: what a year brings, within two days. */
const HEAVY: FaultKnobs = {
  crash: 0.003,
  callFails: 0.004,
  answerLost: 0.004,
  conflict: 0.003,
  slow: 0.006,
  tornScan: 0.1,
  redelivered: 0.02,
  batchTwice: 0.05,
  eventLost: 0.05,
  eventTwice: 0.05,
  eventLate: 0.05,
  clockSkewMs: 250,
  throttled: 0.05,
  answersLost: 0.05,
  targetsThrottled: 0.03,
  targetsUnheard: 0.03,
  targetsOut: 0.02,
  targetsLag: 0.2,
  neverBoots: 0.04,
  bootsWithoutAgent: 0.03,
  diesAtOnce: 0.03,
  unlisted: 0.003,
  listDelayMs: 45_000,
  interruptionsPerHour: 0.05,
  stormsPerDay: 1.5,
  droughtsPerDay: 6,
  priceLeapsPerDay: 48,
  straysPerDay: 1,
  badHardware: 0.08,
  badGpus: 0.1,
  wearPerDay: 2,
  badImagesPerDay: 2,
  flakyChecks: 0.05,
  agentHangsPerDay: 6,
  agentRestartsPerDay: 8,
  stateLost: 0.2,
  nonsensePerDay: 3,
  machineDeathsPerDay: 4,
  rebootsPerDay: 3,
  processCrashesPerDay: 12,
  findingsPerDay: 8,
  fetchFails: 0.1,
  sourceChanged: 0.05,
  reportLate: 0.01,
  outagesPerDay: 1.5,
}

export const PROFILES = { calm: CALM, default: ORDINARY, heavy: HEAVY } as const
export type ProfileName = keyof typeof PROFILES

/** How large a world is; `small` draws its size from the seed. */
export type HerdName = 'small' | 'fifty'

export type SimOptions = {
  readonly seed: number
  /** Virtual days of the safety phase. */
  readonly days: number
  readonly profile: ProfileName
  readonly herd: HerdName
}

export const DEFAULTS = { days: 2, profile: 'heavy', herd: 'small' } as const

export function describeOptions({ seed, days, profile, herd }: SimOptions): string {
  return `seed ${String(seed)}, ${String(days)} days, faults ${profile}, herd ${herd}`
}
