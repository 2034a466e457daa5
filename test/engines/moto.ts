/**
 * Moto: AWS's services as the Python world's tests know them, as one server.
 *
 * It is installed once, in a virtual environment of its own under node_modules/.cache, and used
 * from there until what requirements.txt asks for changes. A file written last tells a whole
 * installation from one that was broken off.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { startServer, type RunningServer } from './server-process.ts'

const LOOKUP_MS = 20_000
const VENV_MS = 120_000
const INSTALL_MS = 600_000
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt')
const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'engines')
const PIP = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input']
/** Enough for a bad moment; a machine without a network must be told so soon. */
const PATIENCE = ['--retries', '1', '--timeout', '15']

const run = promisify(execFile)

/** Its own python, or the reason why moto cannot run here. */
export async function installMoto(): Promise<{ python: string } | { missing: string }> {
  const lookup = ['-c', 'import sys; print(sys.version)']
  const version = await run('python3', lookup, { timeout: LOOKUP_MS }).catch(() => undefined)
  if (version === undefined) return { missing: 'there is no python3 on the path' }
  const hash = createHash('sha256').update(readFileSync(REQUIREMENTS)).update(version.stdout)
  const folder = join(CACHE, `moto-${hash.digest('hex').slice(0, 12)}`)
  const python = join(folder, 'bin', 'python')
  const done = join(folder, 'installed')
  if (existsSync(done)) return { python }
  console.log('installing moto, once; this takes a minute or two')
  try {
    rmSync(folder, { recursive: true, force: true })
    await mkdir(dirname(folder), { recursive: true })
    await run('python3', ['-m', 'venv', folder], { timeout: VENV_MS })
    await run(python, [...PIP, ...PATIENCE, '-r', REQUIREMENTS], { timeout: INSTALL_MS })
  } catch (error) {
    return { missing: `moto could not be installed: ${lastWords(error)}` }
  }
  writeFileSync(done, '')
  return { python }
}

function lastWords(error: unknown): string {
  const { stderr, stdout, message } = error as Error & { stderr?: string; stdout?: string }
  const said = stderr?.trim() || stdout?.trim() || message
  return said.split('\n').at(-1) ?? ''
}

export function startMoto(python: string): Promise<RunningServer> {
  return startServer({
    command: python,
    argumentsFor: (port) => ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    environment: {
      // As AWS would: what was never made cannot be launched.
      MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION: 'true',
      MOTO_ENABLE_AMI_VALIDATION: 'true',
    },
    probePath: '/moto-api/data.json',
  })
}
