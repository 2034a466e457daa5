/**
 * The environment, read once at the edge and checked there.
 *
 * A function that starts with a missing or malformed setting must say which one, not fail an hour
 * later in the middle of a pass.
 */
import { DroverError } from './errors.ts'

export class EnvironmentError extends DroverError {
  constructor(name: string, text: string, seen?: unknown) {
    super({
      code: 'BadEnvironment',
      text: `${name}: ${text}`,
      seen,
      next: `set ${name} and start again`,
    })
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The variable's value; throws EnvironmentError when it is unset or empty. */
export function requireVariable(environment: Environment, name: string): string {
  const value = environment[name]
  if (value === undefined || value === '') throw new EnvironmentError(name, 'is not set')
  return value
}

/** The variable parsed as JSON and handed to `parse`; throws EnvironmentError when either fails. */
export function requireJson<T>(
  environment: Environment,
  name: string,
  parse: (value: unknown) => T,
): T {
  const text = requireVariable(environment, name)
  try {
    return parse(JSON.parse(text))
  } catch (cause) {
    throw new EnvironmentError(
      name,
      `is not what is expected: ${String(cause)}`,
      text.slice(0, 200),
    )
  }
}
