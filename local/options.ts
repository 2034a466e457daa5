/**
 * The command line of `npm start`, read strictly: a misspelt option would start another herd than
 * the one that was meant.
 */
import { parseArgs } from 'node:util'
import { quotaPolicySchema, type QuotaPolicyName } from '#shared/model/quota-policy.ts'
import { StartError } from './errors.ts'

export type StartOptions = {
  readonly port: number
  readonly stateDirectory: string
  readonly keepsState: boolean
  readonly fresh: boolean
  readonly speed: number
  readonly quotaPolicy: QuotaPolicyName
  readonly marketFile?: string
  readonly help: boolean
}

export const DEFAULT_PORT = 8_787
const SPEED_MAX = 100

export const USAGE = `usage: npm start -- [options]

  --port N        where to listen on 127.0.0.1 (default ${String(DEFAULT_PORT)}; 0: any free one)
  --state DIR     where the herd is kept between runs (default .drover)
  --fresh         forget the herd that is kept there
  --market FILE   capacity, prices, boot times and failures of the emulated EC2
  --quota-policy P  how teams' quotas are shared out: guaranteed-with-borrowing (default) or
                  weighted-fair-share
  --speed N       shorten its waits N times (0.1 to ${String(SPEED_MAX)}, default 1)
`

/** Throws StartError with code Misused. */
export function readOptions(argv: readonly string[]): StartOptions {
  const { values } = parsed(argv)
  return {
    port: numberOf('--port', values.port ?? String(DEFAULT_PORT), {
      min: 0,
      max: 65_535,
      whole: true,
    }),
    stateDirectory: values.state ?? '.drover',
    keepsState: values.state !== undefined,
    fresh: values.fresh ?? false,
    speed: numberOf('--speed', values.speed ?? '1', { min: 0.1, max: SPEED_MAX, whole: false }),
    quotaPolicy: policyOf(values['quota-policy']),
    ...(values.market === undefined ? {} : { marketFile: values.market }),
    help: values.help ?? false,
  }
}

type Parsed = {
  readonly values: {
    readonly port?: string | undefined
    readonly state?: string | undefined
    readonly fresh?: boolean | undefined
    readonly market?: string | undefined
    readonly speed?: string | undefined
    readonly 'quota-policy'?: string | undefined
    readonly help?: boolean | undefined
  }
}

function parsed(argv: readonly string[]): Parsed {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string' },
        state: { type: 'string' },
        fresh: { type: 'boolean' },
        market: { type: 'string' },
        speed: { type: 'string' },
        'quota-policy': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    const [text = ''] = (error instanceof Error ? error.message : String(error)).split('. ')
    throw new StartError('Misused', text.replace(/\.$/, ''), 'npm start -- --help')
  }
}

function policyOf(text: string | undefined): QuotaPolicyName {
  const parsed = quotaPolicySchema.safeParse(text)
  if (parsed.success) return parsed.data
  const names = quotaPolicySchema.unwrap().options.join(' or ')
  const told = `--quota-policy must be ${names}, not ${String(text)}`
  throw new StartError('Misused', told, 'npm start -- --help')
}

type Range = { readonly min: number; readonly max: number; readonly whole: boolean }

function numberOf(option: string, text: string, { min, max, whole }: Range): number {
  const value = text.trim() === '' ? NaN : Number(text)
  const fits = value >= min && value <= max && (!whole || Number.isInteger(value))
  if (fits) return value
  const kind = whole ? 'a whole number' : 'a number'
  const range = `${kind} from ${String(min)} to ${String(max)}`
  throw new StartError(
    'Misused',
    `${option} must be ${range}, not "${text}"`,
    'npm start -- --help',
  )
}
