/**
 * The store port: one table, four verbs, and conditions that have names.
 *
 * Every write says whether it was applied, and if not, which condition stood against it: a lost
 * race is data for the next pass and not an exception. Broken I/O throws StoreError. Items are
 * plain JSON with a partition key `pk` and a sort key `sk`; nothing but this folder knows of
 * DynamoDB's own types.
 */
import { DroverError, type ErrorFacts } from '../base/errors.ts'

export type Key = { readonly pk: string; readonly sk: string }
export type Fields = Readonly<Record<string, unknown>>
/** An item as it is stored. `ttl`, where there is one, is in epoch seconds. */
export type Item = Key & Fields

/** What must hold for a write to be applied. All of it, where there are several. */
export type Condition =
  | { readonly is: 'absent' }
  | { readonly is: 'present' }
  /** The top-level attribute `field` equals `value`. */
  | { readonly is: 'equal'; readonly field: string; readonly value: string | number | boolean }
  /** The top-level attribute `field` is absent, or a number below `value`. */
  | { readonly is: 'below'; readonly field: string; readonly value: number }

export const absent: Condition = { is: 'absent' }
export const present: Condition = { is: 'present' }
export const equal = (field: string, value: string | number | boolean): Condition => ({
  is: 'equal',
  field,
  value,
})
export const below = (field: string, value: number): Condition => ({ is: 'below', field, value })

export type Write =
  /** Replaces the whole item. */
  | { readonly kind: 'put'; readonly item: Item; readonly when?: readonly Condition[] }
  | { readonly kind: 'delete'; readonly key: Key; readonly when?: readonly Condition[] }
  /** Writes nothing; the transaction is applied only if it holds. */
  | { readonly kind: 'check'; readonly key: Key; readonly when: readonly Condition[] }

export type WriteResult =
  | { readonly applied: true }
  | {
      readonly applied: false
      /** Position of the first write whose condition failed, where the store says which. */
      readonly index: number
      readonly reason: 'condition' | 'conflict'
    }

export type Store = {
  /** The item, strongly consistent unless `eventual`; undefined when there is none. */
  get(key: Key, options?: { eventual?: boolean }): Promise<Item | undefined>
  /** Several items by key, strongly consistent, in no order; absent ones are left out. */
  getMany(keys: readonly Key[]): Promise<readonly Item[]>
  /** One partition in order of `sk`, from after `after` on; `next` is set when more may follow. */
  query(
    pk: string,
    options?: { after?: string; limit?: number; prefix?: string; descending?: boolean },
  ): Promise<{ items: readonly Item[]; next?: string }>
  /** Every item, strongly consistent; throws if any part of the table could not be read. */
  scan(): Promise<readonly Item[]>
  write(write: Write): Promise<WriteResult>
  /** Sets (or with undefined removes) top-level fields, creating the item where there is none. */
  update(key: Key, fields: Fields, when?: readonly Condition[]): Promise<WriteResult>
  /**
   * All of the writes or none, at most 100. The same `token` with the same writes is applied once,
   * however often it is sent within ten minutes.
   */
  transact(writes: readonly Write[], token: string): Promise<WriteResult>
}

/** One change of one item, as the table's stream tells it. */
export type Change = {
  readonly key: Key
  readonly before?: Item
  readonly after?: Item
  /** True when time-to-live removed the item. */
  readonly expired: boolean
}

export class StoreError extends DroverError {
  constructor(facts: Omit<ErrorFacts, 'code'> & { code?: string }) {
    super({ code: 'StoreFailed', ...facts })
  }
}
