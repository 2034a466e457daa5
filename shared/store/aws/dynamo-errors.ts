/**
 * What DynamoDB's errors mean to drover: a lost race is an answer, all else is broken I/O.
 *
 * A single write that the SDK retried after a lost answer can find its own first attempt in the way
 * and report a lost race that it has won. That costs one more look at the table, which the loop
 * takes anyway; transactions are spared it by their token.
 */
import { StoreError, type WriteResult } from '../store.ts'

type CancellationReason = { readonly Code?: string; readonly Message?: string }

/** The outcome behind a write's error; throws StoreError where there is none. */
export function outcomeOf(error: unknown, call: string): WriteResult {
  switch (nameOf(error)) {
    case 'ConditionalCheckFailedException':
      return { applied: false, index: 0, reason: 'condition' }
    case 'TransactionConflictException':
    case 'TransactionInProgressException':
      return { applied: false, index: 0, reason: 'conflict' }
    case 'TransactionCanceledException':
      return cancellationOf(error, call)
    default:
      throw storeError(error, call)
  }
}

function cancellationOf(error: unknown, call: string): WriteResult {
  const reasons =
    (error as { CancellationReasons?: CancellationReason[] }).CancellationReasons ?? []
  const index = reasons.findIndex(({ Code }) => Code !== undefined && Code !== 'None')
  switch (reasons[index]?.Code) {
    case 'ConditionalCheckFailed':
      return { applied: false, index, reason: 'condition' }
    case 'TransactionConflict':
      return { applied: false, index, reason: 'conflict' }
    default:
      throw storeError(error, call, reasons[index])
  }
}

/** A StoreError around whatever a call threw. */
export function storeError(error: unknown, call: string, seen?: unknown): StoreError {
  if (error instanceof StoreError) return error
  const name = nameOf(error)
  const facts = { seen: seen ?? name, cause: error }
  switch (name) {
    case 'IdempotentParameterMismatchException':
      return new StoreError({
        ...facts,
        code: 'IdempotentParameterMismatch',
        text: `${call}: this token was used for other writes within the last ten minutes`,
        next: 'derive the token from the writes, or use a fresh one',
      })
    case 'ValidationException':
      return new StoreError({
        ...facts,
        code: 'StoreRefused',
        text: `${call}: DynamoDB refuses the request`,
        next: 'the cause says which part of it',
      })
    default:
      return new StoreError({ ...facts, text: `${call} failed: ${name}` })
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown'
}
