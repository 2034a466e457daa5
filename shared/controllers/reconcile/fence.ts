/**
 * The fence: one pass at a time may write, and an overtaken pass finds that out at its next write.
 *
 * A pass first makes the epoch its own, then reads. Each of its writes is a transaction that checks
 * the epoch, and they are sent one after another, because on AWS two transactions that check the
 * same item conflict.
 */
import { jsonBytes } from '../../base/bytes.ts'
import { DroverError } from '../../base/errors.ts'
import type { Clock } from '../../cloud/clock.ts'
import { LIMITS } from '../../model/limits.ts'
import { passSchema, type Pass } from '../../model/facts.ts'
import { keys } from '../../store/keys.ts'
import { absent, equal, type Item, type Store, type Write } from '../../store/store.ts'

const ATTEMPTS = 5
/** DynamoDB's limit is 4 MB a transaction; items are counted as JSON, with room to spare. */
const TRANSACTION_MAX_BYTES = 3_500_000

export class OvertakenError extends DroverError {
  constructor(epoch: number) {
    super({
      code: 'Overtaken',
      text: 'another pass has begun',
      seen: epoch,
      next: 'nothing is to be done: the other pass sees everything',
    })
  }
}

/** The pass item as it stands; undefined before the first pass. Throws StoreError. */
export async function readPass(store: Store): Promise<Pass | undefined> {
  const item = await store.get(keys.pass())
  return item === undefined ? undefined : passSchema.parse(item)
}

/**
 * Makes the next epoch this pass's own. Coverage starts anew after a gap of two ticks without a
 * good pass: nobody was listening in between. Throws OvertakenError when others keep winning.
 */
export async function takeEpoch(
  store: Store,
  { nowMs, cluster }: { nowMs: number; cluster: string },
): Promise<Pass> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const old = await readPass(store)
    const lastGood = old?.lastGoodStartedAtMs
    const isCovered = lastGood !== undefined && nowMs - lastGood <= LIMITS.coverageGapMs
    const pass: Pass = {
      ...(old ?? { kind: 'pass', tableUid: cluster, createdAtMs: nowMs, suspects: {} }),
      epoch: (old?.epoch ?? 0) + 1,
      startedAtMs: nowMs,
      coveredSinceMs: isCovered && old !== undefined ? old.coveredSinceMs : nowMs,
    }
    const when = old === undefined ? absent : equal('epoch', old.epoch)
    const result = await store.write({ kind: 'put', item: passItem(pass), when: [when] })
    if (result.applied) return pass
  }
  throw new OvertakenError(-1)
}

export function passItem(pass: Pass): Item {
  return { ...pass, ...keys.pass() }
}

export type Fence = {
  readonly pass: Pass
  /**
   * Writes them in order, in as few transactions as they fit in; a group is never split. False when
   * the pass has run for so long that the rest is left to the next one.
   */
  write(groups: readonly (readonly Write[])[]): Promise<boolean>
  /** True once the pass must start nothing more. */
  isLate(): boolean
  /** How many transactions were sent. */
  transactions(): number
}

/** A fence for the pass. `write` throws OvertakenError once another pass has begun. */
export function makeFence(
  { store, clock }: { store: Store; clock: Pick<Clock, 'now'> },
  pass: Pass,
): Fence {
  let sent = 0
  const isLate = (): boolean => clock.now() - pass.startedAtMs > LIMITS.lastWorkStartMs
  const send = async (writes: readonly Write[]): Promise<void> => {
    const check: Write = { kind: 'check', key: keys.pass(), when: [equal('epoch', pass.epoch)] }
    for (let attempt = 1; ; attempt += 1) {
      sent += 1
      const token = `${String(pass.epoch)}-${String(sent)}-${String(pass.startedAtMs)}`
      const result = await store.transact([check, ...writes], token)
      if (result.applied) return
      if (result.reason !== 'conflict' || attempt >= ATTEMPTS) throw new OvertakenError(pass.epoch)
    }
  }
  return {
    pass,
    transactions: () => sent,
    write: async (groups) => {
      for (const batch of batchesOf(groups)) {
        if (isLate()) return false
        await send(batch)
      }
      return true
    },
    isLate,
  }
}

function batchesOf(groups: readonly (readonly Write[])[]): Write[][] {
  const batches: Write[][] = []
  let batch: Write[] = []
  let bytes = 0
  for (const group of groups) {
    const size = group.reduce((sum, own) => sum + jsonBytes(own), 0)
    const isFull = batch.length + group.length > LIMITS.transactionMaxWrites
    if (batch.length > 0 && (isFull || bytes + size > TRANSACTION_MAX_BYTES)) {
      batches.push(batch)
      batch = []
      bytes = 0
    }
    batch.push(...group)
    bytes += size
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}
