/** The prices' error family: EC2 or the price list could not be asked, or answered nonsense. */
import { DroverError, type ErrorFacts } from '../base/errors.ts'

export class PricesError extends DroverError {
  constructor(facts: Omit<ErrorFacts, 'code'>) {
    super({ code: 'PricesFailed', next: 'the last known market stays in use', ...facts })
  }
}
