/**
 * Every place in drover's controllers and store that calls a port, counted by the compiler.
 *
 * A call is one of a port when what it calls is declared in a port's file, whatever it is called
 * through. So a new call site is counted the moment it is written, and the enumeration of crashes
 * cannot quietly miss it.
 */
import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export type Site = {
  /** `shared/controllers/wake.ts:42:9`: where the method's name stands, as stack traces say it. */
  readonly at: string
  /** `store.get` */
  readonly calls: string
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const FOLDERS = ['shared/controllers', 'shared/store']
const ADAPTERS = /^shared\/store\/aws\//
/** Ports whose calls wait for an answer, and what they are called here. */
const PORTS: Readonly<Record<string, string>> = {
  'shared/store/store.ts': 'store',
  'shared/cloud/balancer.ts': 'balancer',
  'shared/cloud/fleet.ts': 'fleet',
  'shared/cloud/queue.ts': 'queue',
  'shared/cloud/bus.ts': 'bus',
  'shared/cloud/prices.ts': 'prices',
  'shared/cloud/metric-source.ts': 'metrics',
}

/** All sites, in order of file and line. */
export function portCallSites(): readonly Site[] {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((path) => path.endsWith('.ts') && !ADAPTERS.test(path)),
  )
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile) as {
    config: { compilerOptions: unknown }
  }
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT)
  const program = ts.createProgram(
    files.map((path) => join(ROOT, path)),
    { ...options, incremental: false, noEmit: true, configFilePath: join(ROOT, 'tsconfig.json') },
  )
  const checker = program.getTypeChecker()
  return files
    .toSorted()
    .flatMap((path) => sitesIn(program.getSourceFile(join(ROOT, path)), { path, checker }))
}

type Place = { readonly path: string; readonly checker: ts.TypeChecker }

function sitesIn(source: ts.SourceFile | undefined, { path, checker }: Place): Site[] {
  if (source === undefined) return []
  const found: Site[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const port = portOf(node, checker)
      if (port !== undefined) {
        const { name } = node.expression
        const { line, character } = source.getLineAndCharacterOfPosition(name.getStart(source))
        const at = `${path}:${String(line + 1)}:${String(character + 1)}`
        found.push({ at, calls: `${port}.${name.text}` })
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function portOf(call: ts.CallExpression, checker: ts.TypeChecker): string | undefined {
  const declared = checker.getResolvedSignature(call)?.declaration?.getSourceFile().fileName
  return declared === undefined ? undefined : PORTS[relative(ROOT, declared)]
}

const FRAME = /(shared\/(?:controllers|store)\/[^\s:)]+\.ts):(\d+):(\d+)/

/** The site that the stack stands at; undefined when no controller is on it. */
export function siteOfStack(stack: string): string | undefined {
  for (const line of stack.split('\n')) {
    const match = FRAME.exec(line)
    if (match === null || line.includes('memory-store')) continue
    const [, path = '', row = '', column = ''] = match
    return `${path}:${row}:${column}`
  }
  return undefined
}
