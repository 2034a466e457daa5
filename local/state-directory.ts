/**
 * The state directory: one herd's memory on disk, and the lock that gives it to one drover at a
 * time.
 *
 * Machines outlive a drover that crashes, so what they know of it must outlive it too: the herd's
 * name and the two ports they call. The ports lie below those that outgoing connections and
 * replicas take, so that nobody else is likely to sit on them at the next start.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import { removeDirectory } from '#agent/adapters/files.ts'
import { StartError } from './errors.ts'
import { isRunning, startTimeOf } from './processes.ts'

export type Ports = { readonly table: number; readonly ec2: number }

export type StateDirectory = {
  /** Absolute and without links: it marks every process of the herd. */
  readonly path: string
  readonly cluster: string
  readonly ports: Ports
  /** True when machines of an earlier run know other ports than these. */
  readonly portsMoved: boolean
  readonly files: StateFiles
  /** Gives the directory back. */
  release(): void
}

export type StateFiles = {
  readonly database: string
  readonly enginePid: string
  readonly log: string
  readonly compileCache: string
}

const FILES = {
  lock: 'lock',
  cluster: 'cluster',
  ports: 'ports.json',
  database: 'table.db',
  enginePid: 'engine.json',
  journal: 'ec2.json',
  instances: 'instances',
  log: 'drover.log',
  compileCache: 'compile-cache',
} as const

const PORT_FIRST = 14_000
const PORT_LAST = 19_999
const PORT_TRIES = 100

/** Takes the directory; throws StartError where another drover has it or it is not one of ours. */
export async function openStateDirectory(
  directory: string,
  { url }: { url: string },
): Promise<StateDirectory> {
  refuseStrange(directory)
  mkdirSync(directory, { recursive: true })
  const path = realpathSync(directory)
  const at = (name: string): string => join(path, name)
  const release = takeLock(at(FILES.lock), { url, directory })
  try {
    const cluster = readCluster(at(FILES.cluster))
    const { ports, portsMoved } = await readPorts(at(FILES.ports))
    const files = {
      database: at(FILES.database),
      enginePid: at(FILES.enginePid),
      log: at(FILES.log),
      compileCache: at(FILES.compileCache),
    }
    return { path, cluster, ports, portsMoved, files, release }
  } catch (error) {
    release()
    throw error
  }
}

/**
 * Forgets the herd: removes what drover keeps there and nothing else. Its processes must be ended.
 */
export function forgetHerd(directory: string): void {
  if (!existsSync(directory)) return
  const kept: readonly string[] = [FILES.lock, FILES.log, FILES.compileCache]
  const own = Object.values(FILES).filter((name) => !kept.includes(name))
  for (const name of readdirSync(directory)) {
    // The database has companions: table.db-wal, table.db-shm.
    if (own.some((file) => name === file || name.startsWith(`${file}-`)))
      removeDirectory(join(directory, name))
  }
}

/** A directory full of something else is a slip of the hand. */
function refuseStrange(directory: string): void {
  if (!existsSync(directory)) return
  const names = ((): readonly string[] => {
    try {
      return readdirSync(directory)
    } catch {
      throw new StartError('BadState', `${directory} is no directory`, 'give another --state')
    }
  })()
  const known = Object.values(FILES)
  const ours = names.some((name) => known.some((file) => name === file))
  if (names.length === 0 || ours) return
  throw new StartError(
    'BadState',
    `${directory} holds other things than a herd's state`,
    'give --state an empty or a new directory',
  )
}

const lockSchema = z.object({ pid: z.int(), startTime: z.string(), url: z.string() })

function takeLock(path: string, told: { url: string; directory: string }): () => void {
  const mine = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '', url: told.url }
  for (let attempt = 1; ; attempt += 1) {
    try {
      const file = openSync(path, 'wx')
      writeSync(file, JSON.stringify(mine))
      closeSync(file)
      break
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      const holder = readJson(path, lockSchema)
      const isHeld = holder !== undefined && isRunning(holder)
      if (isHeld || attempt > 3) {
        const who = holder === undefined ? '' : ` (pid ${String(holder.pid)}, ${holder.url})`
        const next = 'stop that one, or give --state another directory'
        throw new StartError('StateInUse', `a drover already runs on ${told.directory}${who}`, next)
      }
      rmSync(path, { force: true })
    }
  }
  return () => {
    rmSync(path, { force: true })
  }
}

function readCluster(path: string): string {
  if (existsSync(path)) {
    const text = readFileSync(path, 'utf8').trim()
    if (text !== '') return text
  }
  const cluster = `local-${randomBytes(4).toString('hex')}`
  writeWhole(path, `${cluster}\n`)
  return cluster
}

const portsSchema = z.object({ table: z.int(), ec2: z.int() })

async function readPorts(path: string): Promise<{ ports: Ports; portsMoved: boolean }> {
  const known = readJson(path, portsSchema)
  if (known !== undefined && (await isFree(known.table)) && (await isFree(known.ec2)))
    return { ports: known, portsMoved: false }
  const table = await findPort()
  const ports = { table, ec2: await findPort(table) }
  writeWhole(path, JSON.stringify(ports))
  return { ports, portsMoved: known !== undefined }
}

async function findPort(unlike?: number): Promise<number> {
  const span = PORT_LAST - PORT_FIRST + 1
  for (let tried = 0; tried < PORT_TRIES; tried += 1) {
    const port = PORT_FIRST + Math.floor(Math.random() * span)
    if (port !== unlike && (await isFree(port))) return port
  }
  throw new StartError('PortInUse', `no free port from ${String(PORT_FIRST)} on was found`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true)
      })
    })
  })
}

function readJson<T>(path: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}

function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}
