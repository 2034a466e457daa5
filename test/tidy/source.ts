/**
 * A file as the rules see it: its path from the repository's root, its text, and its syntax tree.
 *
 * The tree is TypeScript's own, so a rule never mistakes a word in a comment or a string for code.
 * It is made once a file, when a rule first asks for it.
 */
import ts from 'typescript'

export type Source = {
  /** From the repository's root, with forward slashes. */
  readonly path: string
  readonly text: string
}

export type Fault = {
  readonly path: string
  readonly line: number
  readonly text: string
  /** What to write instead. */
  readonly mend: string
}

/** One rule: what is wrong with one file. */
export type Rule = (source: Source) => readonly Fault[]

const trees = new WeakMap<Source, ts.SourceFile>()

export function treeOf(source: Source): ts.SourceFile {
  const known = trees.get(source)
  if (known !== undefined) return known
  const tree = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true)
  trees.set(source, tree)
  return tree
}

/** Every node of the file that `pick` makes something of, in order. */
export function collect<T>(source: Source, pick: (node: ts.Node) => T | undefined): readonly T[] {
  const found: T[] = []
  const visit = (node: ts.Node): void => {
    const own = pick(node)
    if (own !== undefined) found.push(own)
    ts.forEachChild(node, visit)
  }
  visit(treeOf(source))
  return found
}

/** A fault at the line where `node` starts. */
export function faultAt(source: Source, node: ts.Node, say: Pick<Fault, 'text' | 'mend'>): Fault {
  const tree = treeOf(source)
  const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree))
  return { path: source.path, line: line + 1, ...say }
}

/** A fault for each line of the text for which `say` has something to say. */
export function faultsByLine(
  source: Source,
  say: (line: string) => Pick<Fault, 'text' | 'mend'> | undefined,
): readonly Fault[] {
  return source.text.split('\n').flatMap((text, at) => {
    const own = say(text)
    return own === undefined ? [] : [{ path: source.path, line: at + 1, ...own }]
  })
}

export const isCode = (path: string): boolean => /\.[mc]?[jt]sx?$/.test(path)
export const isTest = (path: string): boolean => path.endsWith('.test.ts')

/** `a/b.ts:7: enum Color; write a union of strings` */
export function describeFault({ path, line, text, mend }: Fault): string {
  return `${path}:${String(line)}: ${text}; ${mend}`
}
