/** The fleet's error family: EC2 could not be asked, or answered what nobody can read. */
import { DroverError, type ErrorFacts } from '../base/errors.ts'

export class FleetError extends DroverError {
  constructor(facts: Omit<ErrorFacts, 'code'> & { code?: string }) {
    super({ code: 'FleetFailed', ...facts })
  }
}
