/**
 * What a piece of work takes: time, and the heap at its fullest and once it is swept.
 *
 * Nothing can look at the heap while a plan is being made but V8 itself, which says before each
 * collection what there is. That counts garbage too, as Lambda's memory must hold it too. What is
 * alive is looked at after a full collection, outside the clock.
 */
import { GCProfiler, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cpuMsNow } from '../measure/processor.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const MIB = 2 ** 20

export type Timed<T> = {
  readonly value: T
  readonly ms: number
  readonly cpuMs: number
  /** Of this work alone where the heap was swept before it. */
  readonly peakHeapMib: number
}

/**
 * `sweeps`: on a heap that is swept just before. V8 forgets what it has compiled for things that
 * are gone then, so whatever is measured on a warm engine goes without.
 */
export function timed<T>(work: () => T, sweeps: boolean): Timed<T> {
  if (sweeps) collect()
  const profiler = new GCProfiler()
  profiler.start()
  const startCpuMs = cpuMsNow()
  const startMs = performance.now()
  const value = work()
  const ms = performance.now() - startMs
  const cpuMs = cpuMsNow() - startCpuMs
  const atEnd = process.memoryUsage().heapUsed
  const { statistics } = profiler.stop()
  const peak = statistics.reduce(
    (most, own) => Math.max(most, own.beforeGC.heapStatistics.usedHeapSize),
    atEnd,
  )
  return { value, ms, cpuMs, peakHeapMib: peak / MIB }
}

/** All that is alive on the heap now. */
export function liveHeapMib(): number {
  collect()
  return process.memoryUsage().heapUsed / MIB
}

/** A run that took so long was warm long before its end, and is not repeated. */
const LONG_MS = 20_000
/** By then V8 has compiled what is worth compiling. */
const WARM_CPU_MS = 2_000
const RUNS_MAX = 9
const RUNS_MS = 20_000

export type Figures = { readonly spentMs: number; readonly spentCpuMs: number }

export type Repeated<T, F> = {
  /** What the last run came to; that of the others is let go, for the heap is measured. */
  readonly last: T
  /** Of the very first run, which sweeps. */
  readonly first: F
  /** Never empty. */
  readonly figures: readonly F[]
}

/** Runs for a few figures after a few runs to warm up; a long one once. */
export function repeat<T, F extends Figures>(
  run: (sweeps: boolean) => T,
  figuresOf: (result: T) => F,
): Repeated<T, F> {
  let last = run(true)
  const first = figuresOf(last)
  if (first.spentMs > LONG_MS) return { last, first, figures: [first] }
  const again = (): F => {
    last = undefined as T
    last = run(false)
    return figuresOf(last)
  }
  for (let { spentCpuMs } = first; spentCpuMs < WARM_CPU_MS;) spentCpuMs += again().spentCpuMs
  const figures: F[] = []
  const spentMs = (): number => figures.reduce((sum, own) => sum + own.spentMs, 0)
  do figures.push(again())
  while (figures.length < RUNS_MAX && spentMs() < RUNS_MS)
  return { last, first, figures }
}

/** The least of them, of a figure that others on the machine can only add to. */
export function leastOf<F>(figures: readonly F[], of: (figure: F) => number): number {
  return Math.min(...figures.map(of))
}

/** The slope of log(ms) over log(replicas) by least squares: 1 where time grows in proportion. */
export function exponentOf(points: readonly { replicas: number; ms: number }[]): number {
  const logs = points.map((own) => ({ x: Math.log(own.replicas), y: Math.log(own.ms) }))
  const mean = (of: (own: { x: number; y: number }) => number): number =>
    logs.reduce((sum, own) => sum + of(own), 0) / logs.length
  const [x, y] = [mean((own) => own.x), mean((own) => own.y)]
  const spread = mean((own) => (own.x - x) ** 2)
  return mean((own) => (own.x - x) * (own.y - y)) / spread
}
