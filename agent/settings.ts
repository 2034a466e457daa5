/**
 * The agent's environment: every variable it reads, in one table.
 *
 * | variable | default | meaning |
 * |---|---|---|
 * | `DROVER_TABLE` | required | name of the table |
 * | `DROVER_AGENT_DIR` | `/var/lib/drover` | state, journal, logs, replicas' directories |
 * | `DROVER_METADATA_URL` | `http://169.254.169.254` | instance metadata, version 2 |
 * | `DROVER_METADATA_POLL_MS` | 5000 | how often it is asked for notices |
 * | `DROVER_HEAD_POLL_MS` | 2000 | how often the assignment's head is read |
 * | `DROVER_ADDRESS` | `local-ipv4` of metadata | what replicas are reached at |
 * | `DROVER_BOOT_ID` | `/proc/sys/kernel/random/boot_id` | names this boot of the machine |
 * | `DROVER_POWER_OFF_AFTER_SECONDS` | never | end all after such silence of metadata |
 * | `DROVER_CHECK_DISK_MIB` | no limit | the most that a disk check writes, whatever a suite says |
 * | `DROVER_DOCKER_SOCKET` | `/var/run/docker.sock` | of the engine that runs containers, if any |
 * | `DROVER_KERNEL_LOG` | `/dev/kmsg` | where the kernel's messages are read |
 * | `DROVER_HEALTH_LOOK_MS` | 60000 | how often the machine's health is looked at |
 * | `DROVER_DISK_FULL_PERCENT` | 95 | a disk that is fuller is nearly full |
 * | `DROVER_DATA_DIR` | `data` in the agent's own | where data is kept: see docs/data.md |
 * | `DROVER_DATA_MAX_PERCENT` | 80 | of its file system, what that may take |
 * | `DROVER_DATA_FILES` | `false` | whether data may come from this machine's own disk |
 * | `DROVER_FAULTY_CHECKS` | `[]` | hardware faults to inject: see faults.ts |
 * | `DROVER_LOG_LEVEL` | `info` | `debug`, `info`, `warn`, `error` |
 * | `DROVER_STATE_DIR`, `DROVER_EXAMPLES`, `DROVER_PROGRAMS` | | handed on to replicas |
 * | `AWS_REGION` | the machine's own | region of the table |
 * | `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_*` | | the SDK's own: endpoint, credentials |
 * | `AWS_ENDPOINT_URL_S3` | S3's own | another server that speaks S3, with buckets in the path |
 */
import { EnvironmentError, requireVariable, type Environment } from '#shared/base/environment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { LogLevel } from '#shared/base/log.ts'
import { faultsSchema, type Faults } from './faults.ts'

export type Settings = {
  readonly table: string
  readonly directory: string
  readonly metadataUrl: string
  readonly metadataPollMs: number
  readonly headPollMs: number
  readonly address?: string
  readonly bootId?: string
  readonly powerOffAfterMs?: number
  readonly diskMib: number
  readonly kernelLog: string
  readonly healthLookMs: number
  readonly diskFullPercent: number
  readonly dockerSocket: string
  readonly dataDirectory: string
  readonly dataMaxPercent: number
  readonly imagesMaxPercent: number
  readonly dataFiles: boolean
  readonly s3Endpoint?: string
  readonly faults: Faults
  readonly logLevel: LogLevel
  readonly region?: string
}

/** The settings, each checked; throws EnvironmentError naming the variable at fault. */
export function readSettings(environment: Environment): Settings {
  const powerOffSeconds = number(environment, 'DROVER_POWER_OFF_AFTER_SECONDS', 0)
  const directory = text(environment, 'DROVER_AGENT_DIR') ?? '/var/lib/drover'
  return {
    table: requireVariable(environment, 'DROVER_TABLE'),
    directory,
    dataDirectory: text(environment, 'DROVER_DATA_DIR') ?? `${directory}/data`,
    dataMaxPercent: percent(environment, 'DROVER_DATA_MAX_PERCENT', LIMITS.dataCachePercent),
    imagesMaxPercent: percent(environment, 'DROVER_IMAGES_MAX_PERCENT', LIMITS.imagesPercent),
    dataFiles: flag(environment, 'DROVER_DATA_FILES'),
    metadataUrl: metadataUrl(environment),
    metadataPollMs: number(environment, 'DROVER_METADATA_POLL_MS', LIMITS.metadataPollMs),
    headPollMs: number(environment, 'DROVER_HEAD_POLL_MS', LIMITS.headPollMs),
    diskMib: number(environment, 'DROVER_CHECK_DISK_MIB', Number.MAX_SAFE_INTEGER),
    dockerSocket: text(environment, 'DROVER_DOCKER_SOCKET') ?? '/var/run/docker.sock',
    kernelLog: text(environment, 'DROVER_KERNEL_LOG') ?? '/dev/kmsg',
    healthLookMs: number(environment, 'DROVER_HEALTH_LOOK_MS', LIMITS.healthLookMs),
    diskFullPercent: number(environment, 'DROVER_DISK_FULL_PERCENT', LIMITS.diskFullPercent),
    faults: faults(environment),
    logLevel: logLevel(environment),
    ...optional('address', text(environment, 'DROVER_ADDRESS')),
    ...optional('bootId', text(environment, 'DROVER_BOOT_ID')),
    ...optional('s3Endpoint', text(environment, 'AWS_ENDPOINT_URL_S3')),
    ...optional('region', text(environment, 'AWS_REGION')),
    ...optional('powerOffAfterMs', powerOffSeconds === 0 ? undefined : powerOffSeconds * 1000),
  }
}

function text(environment: Environment, name: string): string | undefined {
  const value = environment[name]
  return value === '' ? undefined : value
}

/** A whole number from 1 on, or the default where the variable is not set. */
function number(environment: Environment, name: string, otherwise: number): number {
  const value = text(environment, name)
  if (value === undefined) return otherwise
  const parsed = Number(value)
  if (Number.isInteger(parsed) && parsed >= 1) return parsed
  throw new EnvironmentError(name, 'must be a whole number from 1 on', value)
}

function percent(environment: Environment, name: string, otherwise: number): number {
  const value = number(environment, name, otherwise)
  if (value <= 100) return value
  throw new EnvironmentError(name, 'must be at most 100', String(value))
}

function flag(environment: Environment, name: string): boolean {
  const value = text(environment, name) ?? 'false'
  if (value === 'true' || value === 'false') return value === 'true'
  throw new EnvironmentError(name, 'must be true or false', value)
}

function metadataUrl(environment: Environment): string {
  const name = 'DROVER_METADATA_URL'
  const value = text(environment, name) ?? 'http://169.254.169.254'
  if (!URL.canParse(value)) throw new EnvironmentError(name, 'must be a URL', value)
  return value.replace(/\/+$/, '')
}

function logLevel(environment: Environment): LogLevel {
  const name = 'DROVER_LOG_LEVEL'
  const value = text(environment, name) ?? 'info'
  if (value === 'debug' || value === 'info' || value === 'warn' || value === 'error') return value
  throw new EnvironmentError(name, 'must be debug, info, warn or error', value)
}

function faults(environment: Environment): Faults {
  const name = 'DROVER_FAULTY_CHECKS'
  const value = text(environment, name)
  if (value === undefined) return []
  try {
    return faultsSchema.parse(JSON.parse(value))
  } catch (cause) {
    throw new EnvironmentError(name, `is not what is expected: ${String(cause)}`, value)
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>)
}
