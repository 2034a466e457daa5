/**
 * Who may import whom: the rule that keeps the planner pure and the agent small.
 *
 * Inside shared/ imports only point down the list of layers. Between the top-level folders the
 * table `MAY_IMPORT` decides. The AWS SDK stays in adapters, so everything else runs without an
 * account.
 */
import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import ts from 'typescript'
import { collect, faultAt, type Fault, type Source } from '../source.ts'

/** From the bottom up: a layer imports itself and those before it. */
const LAYERS = [
  ...['base', 'model', 'catalog', 'planner', 'protocol', 'cloud', 'store', 'controllers'],
  // An adapter that is handed in: nothing of shared/ reaches for it.
  'solver',
]

/** By folder, the deepest that is named; `shared/x` means one layer of it, `*` everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  shared: ['shared'],
  functions: ['functions', 'shared'],
  agent: ['agent', 'shared/protocol', 'shared/model', 'shared/base'],
  cli: ['cli', 'shared/protocol', 'shared/model', 'shared/base'],
  'cli/simulate': ['cli', 'shared'],
  console: ['console', 'shared/protocol', 'shared/model', 'shared/base'],
  infra: ['infra', 'shared'],
  local: ['local', 'shared', 'functions', 'agent', 'cli'],
  test: ['*'],
  // An independent judge: it knows the nouns and the ports, and nothing of how drover works.
  'test/simulation/auditor': [
    'test/simulation',
    ...['base', 'model', 'catalog', 'cloud', 'store'].map((layer) => `shared/${layer}`),
  ],
  bench: ['*'],
}

const ADAPTER = /^(shared\/(store|cloud)\/aws|agent\/adapters|cli\/adapters)\//
const SHARED_ADAPTER = /^shared\/(store|cloud)\/aws\//
const AWS_PACKAGE = /^@(aws-sdk|smithy|aws-crypto)\//
const MAY_USE_AWS = /^(infra|local|test|bench)\//
const MAY_BIND_ADAPTERS = /^(functions|infra|local|test|bench)\//

const PURE = /^shared\/(model|planner|catalog|base)\//
/** What a pure layer may use besides what lies below it: a parser and a synchronous hash. */
const PURE_PACKAGES = ['zod', 'node:crypto']

type Import = { node: ts.Node; specifier: string }

export function importFaults(source: Source): readonly Fault[] {
  return importsOf(source).flatMap(({ node, specifier }) => {
    const say = sayImport(source.path, specifier)
    return say === undefined ? [] : [faultAt(source, node, say)]
  })
}

/** Paths that the file imports from this repository, from its root. */
export function importedPaths(source: Source): readonly string[] {
  return importsOf(source).flatMap(({ specifier }) => resolve(source.path, specifier) ?? [])
}

function importsOf(source: Source): readonly Import[] {
  return collect(source, (node): Import | undefined => {
    const literal = specifierOf(node)
    return literal === undefined ? undefined : { node: literal, specifier: literal.text }
  })
}

function specifierOf(node: ts.Node): ts.StringLiteralLike | undefined {
  const expression = ((): ts.Node | undefined => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      return node.argument.literal
    }
    const dynamic =
      ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
    return dynamic ? node.arguments[0] : undefined
  })()
  return expression !== undefined && ts.isStringLiteralLike(expression) ? expression : undefined
}

function resolve(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1)
  if (!specifier.startsWith('.')) return undefined
  return posix.normalize(posix.join(posix.dirname(from), specifier))
}

function sayImport(from: string, specifier: string): Pick<Fault, 'text' | 'mend'> | undefined {
  const to = resolve(from, specifier)
  return to === undefined ? sayPackage(from, specifier) : sayOwn({ from, to, specifier })
}

function sayPackage(from: string, name: string): Pick<Fault, 'text' | 'mend'> | undefined {
  const text = `imports ${name}`
  if (AWS_PACKAGE.test(name) && !ADAPTER.test(from) && !MAY_USE_AWS.test(from)) {
    return { text, mend: 'take a port as an argument; the AWS SDK belongs in adapters' }
  }
  if (PURE.test(from) && !PURE_PACKAGES.includes(name)) {
    return { text, mend: `a pure layer uses only ${PURE_PACKAGES.join(' and ')}` }
  }
  if (builtinModules.includes(name)) return { text, mend: `write node:${name}` }
  return undefined
}

type OwnImport = { from: string; to: string; specifier: string }

function sayOwn({ from, to, specifier }: OwnImport): Pick<Fault, 'text' | 'mend'> | undefined {
  const text = `imports ${specifier}`
  // package.json and its like stand at the root and have no subpath.
  if (!to.includes('/')) return undefined
  const [fromTop, toTop] = [topOf(from), topOf(to)]
  if (specifier.startsWith('.') && fromTop !== toTop) return { text, mend: `write #${to}` }
  if (!mayImport(from, to)) {
    return { text, mend: `${fromTop}/ may import ${allowedFor(from).join(', ')}` }
  }
  const [own, other] = [layerOf(from), layerOf(to)]
  if (own !== undefined && other !== undefined && other > own) {
    const lower = LAYERS.slice(0, own).toReversed().join(', ')
    return {
      text,
      mend: `shared/${String(LAYERS[own])} may import ${lower === '' ? 'nothing' : lower}`,
    }
  }
  if (SHARED_ADAPTER.test(to) && !SHARED_ADAPTER.test(from) && !MAY_BIND_ADAPTERS.test(from)) {
    return { text, mend: 'take a port as an argument; functions and local bind the adapters' }
  }
  return undefined
}

const topOf = (path: string): string => path.split('/')[0] ?? ''

function allowedFor(from: string): readonly string[] {
  const folders = from.split('/').slice(0, 3)
  const names = folders.map((_, i) => folders.slice(0, folders.length - i).join('/'))
  return names.map((name) => MAY_IMPORT[name]).find((own) => own !== undefined) ?? ['*']
}

function mayImport(from: string, to: string): boolean {
  return allowedFor(from).some((own) => own === '*' || to.startsWith(`${own}/`))
}

/** The layer's place in the list; undefined outside shared/. */
function layerOf(path: string): number | undefined {
  const [top, layer = ''] = path.split('/')
  if (top !== 'shared') return undefined
  const at = LAYERS.indexOf(layer)
  return at < 0 ? undefined : at
}
