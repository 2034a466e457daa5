/**
 * The memory of hardware: what a burn-in found out about GPUs, kept beyond their machine's life.
 *
 * It is written before the verdict that it follows from, so that no crash in between forgets a bad
 * device; writing it twice says the same. It is read by key as soon as a machine names its GPUs,
 * before anything is tested.
 */
import type { Clock } from '../cloud/clock.ts'
import { HARDWARE_RESULT, isAboutGpus } from '../model/burn-in.ts'
import { orderSchema } from '../model/facts.ts'
import {
  hardwareSchema,
  isHeldAgainst,
  setIdOf,
  type GpuIdentity,
  type Hardware,
} from '../model/hardware.ts'
import type { Assignment } from '../model/assignment.ts'
import type { CheckResult, Verdict } from '../model/verdict.ts'
import { historyKeys, keys } from '../store/keys.ts'
import type { Store } from '../store/store.ts'

export type HardwarePorts = {
  store: Pick<Store, 'get'>
  history: Pick<Store, 'get' | 'write'>
  clock: Pick<Clock, 'now'>
}

/**
 * Why a machine is refused before it is tested: one of its GPUs, or all of them together, failed
 * elsewhere, not long ago, and no person has cleared them since. What failed on this very machine
 * is not held against it: it is being mended and tested again.
 */
export async function whyRefused(
  { store, history, clock }: HardwarePorts,
  { arn, gpus }: { arn: string; gpus: readonly GpuIdentity[] },
): Promise<CheckResult | undefined> {
  if (gpus.length === 0) return undefined
  const nowMs = clock.now()
  for (const known of await recordsOf(history, gpus)) {
    // Who is held against nobody anyway is not asked about.
    if (known === undefined || known.arn === arn) continue
    if (!isHeldAgainst(known, { cleared: undefined, nowMs })) continue
    const order = orderSchema.safeParse(await store.get(keys.order('hardware', known.id))).data
    const cleared = order?.target === 'hardware' ? order : undefined
    if (isHeldAgainst(known, { cleared, nowMs })) return refusalFor(known)
  }
  return undefined
}

function refusalFor(bad: Hardware): CheckResult {
  const what = bad.id.startsWith('set:') ? `these GPUs together (${bad.id})` : bad.id
  const when = new Date(bad.atMs).toISOString().slice(0, 10)
  const text = `${what} failed on ${when} in ${bad.node}: ${bad.text}`.slice(0, 500)
  return { name: HARDWARE_RESULT, verdict: 'FAIL', measures: {}, text }
}

const isAdmitting = ({ verdict }: Verdict): boolean => verdict === 'PASS' || verdict === 'WARN'

/** Says of an admitting verdict on the short suite whether its GPUs hold what that asks for. */
export async function withCertificate(
  { history, clock }: Pick<HardwarePorts, 'history' | 'clock'>,
  { verdict, gpus, assignment }: Omit<Judged, 'told'>,
): Promise<Verdict> {
  const { certificate } = assignment.burnIn ?? {}
  if (certificate === undefined || !isAdmitting(verdict) || gpus.length === 0) return verdict
  const ages = (await recordsOf(history, gpus)).map((own) =>
    own?.state === 'certified' && own.suite === certificate.suite
      ? Math.max(0, clock.now() - own.atMs)
      : Infinity,
  )
  const certifiedForMs = Math.max(...ages)
  return certifiedForMs > certificate.withinMs ? verdict : { ...verdict, certifiedForMs }
}

/** Of each GPU and of all together, undefined for those of which nothing is known. */
async function recordsOf(
  history: HardwarePorts['history'],
  gpus: readonly GpuIdentity[],
): Promise<readonly (Hardware | undefined)[]> {
  const ids = [...gpus.map((own) => own.uuid), setIdOf(gpus)]
  const items = await Promise.all(ids.map((id) => history.get(historyKeys.hardware(id))))
  return items.map((item) => hardwareSchema.safeParse(item).data)
}

export type Judged = {
  readonly verdict: Verdict
  /** The checks as the agent told them, before limits were held against their measures. */
  readonly told: readonly CheckResult[]
  readonly gpus: readonly GpuIdentity[]
  readonly assignment: Assignment
}

/** Certifies every GPU of a machine that passed; rejects those that a failure names. */
export async function remember(
  { history }: Pick<HardwarePorts, 'history'>,
  judged: Judged,
): Promise<void> {
  for (const item of hardwareOf(judged)) {
    await history.write({ kind: 'put', item: { ...historyKeys.hardware(item.id), ...item } })
  }
}

/** What is to be kept of each device, and of all together. */
export function hardwareOf({ verdict, told, gpus, assignment }: Judged): readonly Hardware[] {
  if (gpus.length === 0) return []
  const { node, arn, suite, atMs } = verdict
  const checks = verdict.checks.map(({ name, verdict: own }) => ({ name, verdict: own }))
  const common = { kind: 'hardware' as const, suite, checks, node, arn, atMs }
  const own = (id: string, state: Hardware['state'], text: string): Hardware => {
    const serial = gpus.find((gpu) => gpu.uuid === id)?.serial
    return { ...common, id, ...(serial === undefined ? {} : { serial }), state, text }
  }
  if (isAdmitting(verdict)) {
    // The short suite renews nothing: the certificate it went by is still the last deep look.
    if (assignment.burnIn?.certificate !== undefined) return []
    return [...gpus.map(({ uuid }) => uuid), setIdOf(gpus)].map((id) => own(id, 'certified', ''))
  }
  if (verdict.verdict !== 'FAIL') return []
  // A limit may be wrong, and is mended by whoever wrote it: no device is blamed for a breach.
  const failed = told.filter((check) => check.verdict === 'FAIL')
  const kindOf = new Map(assignment.burnIn?.checks.map(({ name, check }) => [name, check]))
  // A machine speaks for its own devices alone.
  const uuids = new Set(gpus.map((own) => own.uuid))
  const rejected = new Map<string, string>()
  for (const { name, text, devices = [] } of failed) {
    const bad = devices.filter((own) => own.verdict === 'FAIL' && uuids.has(own.uuid))
    for (const device of bad) rejected.set(device.uuid, device.text)
    // A link that is down or a GPU that is missing is nobody's own: the set has it.
    const isNobodys = devices.length === 0 && isAboutGpus(kindOf.get(name) ?? '')
    if (isNobodys) rejected.set(setIdOf(gpus), `${name}: ${text}`)
  }
  return [...rejected].map(([id, text]) => own(id, 'rejected', text.slice(0, 500)))
}
