/** Local mode's error family: it cannot start, or was asked for something it cannot do. */
import { DroverError } from '#shared/base/errors.ts'

export class StartError extends DroverError {
  constructor(
    code: 'StateInUse' | 'PortInUse' | 'NoEngine' | 'BadState' | 'Misused',
    text: string,
    next?: string,
  ) {
    super({ code, text, ...(next === undefined ? {} : { next }) })
  }
}
