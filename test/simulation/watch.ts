/**
 * What a simulated machine's agent finds when it looks at its machine's health.
 *
 * A look that would see what the last one saw is not simulated: it is held until something has
 * changed. What comes and goes is seen twice, because one look alone tells nothing.
 */
import type { Area, Look } from '#agent/health/looks.ts'
import type { LookAtHealth } from '#agent/ports.ts'
import type { Problem } from '#shared/model/health.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Invocation } from './calls.ts'
import { whenAwake, type Machine } from './machine.ts'

/** Problems that happen in these worlds, and where they are seen. */
export const FOUND = {
  DiskError: 'kernel',
  MemoryError: 'kernel',
  MemoryCorrected: 'kernel',
  XidReset: 'kernel',
  GpuMemoryError: 'gpu',
  GpuMissing: 'gpu',
  DiskNearlyFull: 'disk',
  ClockOff: 'clock',
} as const satisfies Partial<Record<Problem, Area>>
export type Found = keyof typeof FOUND
export const FINDINGS = Object.keys(FOUND) as readonly Found[]

export type Health = {
  /** Of this boot. */
  readonly kernelLog: Found[]
  readonly states: Set<Found>
  /** How often there was more to see, or less. */
  changes: number
  /** Called then. */
  onChange: (() => void) | undefined
}

/** True while it lasts; what the kernel has told it has told. */
export function setFinding(machine: Machine, problem: Found, isThere: boolean): void {
  const { kernelLog, states } = machine.health
  if (FOUND[problem] !== 'kernel') states[isThere ? 'add' : 'delete'](problem)
  else if (isThere) kernelLog.push(problem)
  else return
  machine.health.changes += 1
  machine.health.onChange?.()
}

export function lookAtHealth(machine: Machine, run: Invocation): LookAtHealth {
  const { scheduler } = machine.setup.backends
  const { health } = machine
  let read = 0
  let isFirst = true
  let owed = LIMITS.healthLooksToTell
  let { changes } = health
  const look = (): Look[] => {
    const told = health.kernelLog.slice(read)
    read = health.kernelLog.length
    owed -= 1
    const looks = AREAS.map((area): Look => {
      const all: readonly Found[] = area === 'kernel' ? told : [...health.states]
      const seen = [...new Set(all.filter((own) => FOUND[own] === area))]
      const sightings = seen.map((problem) => ({ problem, text: 'simulated', devices: [] }))
      return { area, seen: sightings, ...(area === 'kernel' && isFirst ? { isWhole: true } : {}) }
    })
    isFirst = false
    return looks
  }
  return () =>
    new Promise((resolve) => {
      let isAnswered = false
      const answer = (): void => {
        if (isAnswered) return
        isAnswered = true
        health.onChange = undefined
        whenAwake(machine, run, () => {
          resolve(look())
        })
      }
      const after = (ms: number): void => void scheduler.at(scheduler.now() + ms, answer)
      if (changes !== health.changes) owed = LIMITS.healthLooksToTell
      changes = health.changes
      const isWell = health.states.size === 0 && machine.persisted?.health === undefined
      if (read < health.kernelLog.length || (owed > 0 && !(isFirst && isWell))) {
        after(5)
        return
      }
      if (isUntold(machine)) {
        scheduler.at(scheduler.now() + LIMITS.healthRepeatMs, () => {
          // A fault of before is no fault of the time after faults.
          if (machine.setup.faults.areOn()) answer()
        })
      }
      health.onChange = () => {
        health.onChange = undefined
        const phase = { min: 0, max: LIMITS.healthLookMs }
        const key = `look ${run.label} ${String(scheduler.now())}`
        after(machine.setup.chance.int(key, phase))
      }
    })
}

const AREAS: readonly Area[] = ['kernel', 'gpu', 'disk', 'clock']

/** The kernel has told of something again, and the agent waits before it does. */
function isUntold(machine: Machine): boolean {
  const known = Object.values(machine.run?.agent.state().health ?? {})
  return known.some(({ times, told }) => told !== undefined && times > told.times)
}
