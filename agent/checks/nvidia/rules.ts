/**
 * Rules about what a GPU says of itself, and their judgement: a table a check.
 *
 * A rule that is needed has to be answered: where the GPU says nothing, the check is UNKNOWN, never
 * a pass. One that is not needed speaks only where the hardware knows of it. An error in place of a
 * value condemns the GPU where the words say that it is gone, and is UNKNOWN otherwise.
 */
import { groupBy } from '#shared/base/order.ts'
import type { Problem } from '#shared/model/health.ts'
import { MENDS, worst, type Mend, type VerdictName } from '#shared/model/verdict.ts'
import { found, type FaultyDevice, type Finding, type Measures } from '../finding.ts'
import type { Gpu } from './smi-log.ts'

export type Rule = {
  /** What a person calls it. */
  readonly what: string
  /** Where it stands, under the names that drivers gave it. */
  readonly paths: readonly string[]
  /** Undefined: nobody can tell what that means. */
  readonly isFine: (text: string) => boolean | undefined
  /** What it comes to where it is not fine. */
  readonly otherwise: VerdictName
  /** What that needs at least, where it is known. */
  readonly needs?: Mend
  readonly needed: (gpu: Gpu) => boolean
  /** What that is to whoever watches a machine in service; absent where it is nothing. */
  readonly problem?: Problem
}

export const always = (): boolean => true
export const ifSaid = (): boolean => false

/** `Yes` and `No`, `Active` and `Not Active`: fine as long as it says the given. */
export function says(fine: string, bad: string): Rule['isFine'] {
  return (text) => (text === fine ? true : text === bad ? false : undefined)
}

const GONE = /^gpu (is lost|requires reset|is inaccessible)$/i

export type GpuFault = {
  readonly gpu: Gpu
  readonly verdict: VerdictName
  readonly text: string
  readonly needs?: Mend | undefined
  /** Absent where it is nothing to whoever watches a machine in service. */
  readonly problem?: Problem
}

/** Every rule that a GPU breaks, GPU by GPU. */
export function gpuFaultsOf(gpus: readonly Gpu[], rules: readonly Rule[]): readonly GpuFault[] {
  return gpus.flatMap((gpu) => rules.flatMap((rule) => faultOf(gpu, rule)))
}

/** What the rules make of all the GPUs; the text names the first of the worst. */
export function judgeGpus(
  gpus: readonly Gpu[],
  rules: readonly Rule[],
  measures: Measures,
): Finding {
  const faults = gpuFaultsOf(gpus, rules)
  if (faults.length === 0) return found('PASS', '', measures)
  const verdict = worst(faults.map((own) => own.verdict))
  const told = faults.filter((own) => own.verdict === verdict).map((own) => own.text)
  const more = told.length > TOLD_MAX ? `; and ${String(told.length - TOLD_MAX)} more` : ''
  const finding = found(verdict, `${told.slice(0, TOLD_MAX).join('; ')}${more}`, measures)
  return { ...finding, ...needsOf(faults), devices: devicesOf(faults) }
}

/** The most that any of the failures needs. */
function needsOf(faults: readonly GpuFault[]): { needs?: Mend } {
  const needs = faults.flatMap((own) => (own.verdict === 'FAIL' ? (own.needs ?? []) : []))
  const most = MENDS.findLast((own) => needs.includes(own))
  return most === undefined ? {} : { needs: most }
}

/** Each GPU once, with the first of its worst. */
function devicesOf(faults: readonly GpuFault[]): readonly FaultyDevice[] {
  return [...groupBy(faults, ({ gpu }) => gpu).values()].flatMap((own) => {
    const verdict = worst(own.map((fault) => fault.verdict))
    const first = own.find((fault) => fault.verdict === verdict)
    return first === undefined ? [] : [{ at: { bus: first.gpu.bus }, verdict, text: first.text }]
  })
}

const TOLD_MAX = 3

function faultOf(gpu: Gpu, rule: Rule): GpuFault[] {
  const { what, paths, isFine, otherwise, needs, needed } = rule
  const said = gpu.at(...paths)
  const fault = (verdict: VerdictName, text: string, problem?: Problem): GpuFault[] => {
    const own = { gpu, verdict, text: `${nameOf(gpu)}: ${what} ${text}` }
    return [problem === undefined ? own : { ...own, problem }]
  }
  if (said.told === 'nothing') return needed(gpu) ? fault('UNKNOWN', 'is not told') : []
  if (said.told === 'error') {
    const { text } = said
    if (!GONE.test(text)) return fault('UNKNOWN', text, 'GpuUnclear')
    return fault('FAIL', text, text.endsWith('reset') ? 'GpuResetNeeded' : 'GpuMissing')
  }
  const fine = isFine(said.text)
  if (fine === undefined) {
    return fault('UNKNOWN', `cannot be read: ${said.text.slice(0, 40)}`, 'GpuUnclear')
  }
  const found = fine ? [] : fault(otherwise, `is ${said.text}`, rule.problem)
  return found.map((own) => ({ ...own, needs }))
}

/** The GPU, as a person finds it again: by its place, and in the kernel's log. */
export function nameOf({ index, bus }: Gpu): string {
  return `GPU ${String(index)} at ${bus === '' ? 'no bus address' : bus}`
}

/** What the GPUs say there, of those that say anything. */
export function measured(
  gpus: readonly Gpu[],
  paths: readonly string[],
  read: (text: string) => number,
): readonly number[] {
  return gpus.flatMap((gpu) => {
    const said = gpu.at(...paths)
    const value = said.told === 'value' ? read(said.text) : NaN
    return Number.isNaN(value) ? [] : [value]
  })
}
