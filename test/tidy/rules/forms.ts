/**
 * Forms of TypeScript that drover does without, and what every file has.
 */
import { posix } from 'node:path'
import ts from 'typescript'
import { collect, faultAt, isCode, isTest, treeOf, type Fault, type Source } from '../source.ts'

const CONFIG = /(^|\/)[^/]*\.config\.[jt]s$/
const SOURCE_FOLDER = /^(shared|functions|agent|cli|console|local|infra|test|bench)\//
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)+$/
const VAGUE_NAMES = ['util', 'utils', 'helper', 'helpers', 'common', 'misc']
/** Shorter than this says nothing. */
const PARAGRAPH_MIN_CHARS = 30

export function defaultExportFaults(source: Source): readonly Fault[] {
  if (!isCode(source.path) || CONFIG.test(source.path)) return []
  return collect(source, (node) => {
    const isDefault =
      (ts.isExportAssignment(node) && node.isExportEquals !== true) ||
      node.kind === ts.SyntaxKind.DefaultKeyword
    const exported = isDefault && !ts.isCaseOrDefaultClause(node.parent)
    if (!exported) return undefined
    return faultAt(source, node, { text: 'default export', mend: 'export it by name' })
  })
}

export function enumFaults(source: Source): readonly Fault[] {
  if (!isCode(source.path)) return []
  return collect(source, (node) => {
    if (!ts.isEnumDeclaration(node)) return undefined
    const text = `enum ${node.name.text}`
    return faultAt(source, node, { text, mend: 'write a union of strings' })
  })
}

export function anyFaults(source: Source): readonly Fault[] {
  if (!isCode(source.path)) return []
  return collect(source, (node) => {
    if (node.kind !== ts.SyntaxKind.AnyKeyword) return undefined
    return faultAt(source, node, { text: 'any', mend: 'write the type, or unknown and parse it' })
  })
}

export function barrelFaults(source: Source): readonly Fault[] {
  if (!isCode(source.path)) return []
  const { statements } = treeOf(source)
  const only = statements.every(
    (own) => ts.isExportDeclaration(own) && own.moduleSpecifier !== undefined,
  )
  const first = statements[0]
  if (!only || first === undefined) return []
  const mend = 'import from the files themselves and delete this one'
  return [faultAt(source, first, { text: 'a barrel, only re-exports', mend })]
}

export function fileNameFaults(source: Source): readonly Fault[] {
  if (!isCode(source.path)) return []
  const name = posix.basename(source.path)
  const at = { path: source.path, line: 1 }
  if (!KEBAB_CASE.test(name)) {
    return [{ ...at, text: `named ${name}`, mend: 'name it in kebab-case' }]
  }
  if (VAGUE_NAMES.includes(name.split('.')[0] ?? '')) {
    return [{ ...at, text: `named ${name}`, mend: 'name it after the noun that it is about' }]
  }
  return []
}

/**
 * Every file but a test opens with a paragraph of intuition, after the shebang where there is one.
 */
export function openingFaults(source: Source): readonly Fault[] {
  const { path, text } = source
  if (!path.endsWith('.ts') || !SOURCE_FOLDER.test(path) || isTest(path)) return []
  const body = text.replace(/^#!.*\n/, '')
  const opening = /^\/\*\*(.*?)\*\//s.exec(body)?.[1] ?? ''
  const words = opening.replace(/^\s*\*/gm, '').trim()
  if (words.length >= PARAGRAPH_MIN_CHARS) return []
  return [
    {
      path,
      line: 1,
      text: 'no opening paragraph',
      mend: 'say in /** … */ what problem lives here and why it is solved so',
    },
  ]
}
