/**
 * The queue's error family: a wake could not be sent. The next tick wakes reconcile all the same.
 */
import { DroverError, type ErrorFacts } from '../base/errors.ts'

export class QueueError extends DroverError {
  constructor(facts: Omit<ErrorFacts, 'code'> & { code?: string }) {
    super({ code: 'QueueFailed', ...facts })
  }
}
