/**
 * From files to documents: everything is read and checked before anything is sent.
 *
 * A person who has made five mistakes in three documents wants to hear of all five, with file, line
 * and path, and wants nothing to have happened yet. So each document is held against the very
 * schema the server uses, and a fault anywhere refuses the whole set.
 */
import {
  LineCounter,
  parseAllDocuments,
  type Document as YamlDocument,
  type ParsedNode,
} from 'yaml'
import { z } from 'zod'
import { descending, byKey } from '#shared/base/order.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { KIND_OF, NOUNS, type Noun } from '#shared/model/names.ts'
import type { ProblemFault } from '#shared/protocol/api.ts'
import { identify, parseDocument, type Document } from '#shared/protocol/documents.ts'
import { CliError } from './errors.ts'
import type { SourceFile } from './files.ts'

/** One document that passed: as it was written, to be sent as it is. */
export type SpecDocument = {
  readonly noun: Noun
  readonly name: string
  readonly body: Readonly<Record<string, unknown>>
  /** The same with what is left out filled in; a workload that leaves out its count has 0 here. */
  readonly document: Document
}

type Fault = {
  readonly file: string
  readonly line: number
  /** `document 2 (workload/web)`; empty where the file has one that cannot be named. */
  readonly document: string
  readonly path: string
  readonly message: string
}

type Parsed = { readonly document?: SpecDocument; readonly faults: readonly Fault[] }

/** What others need comes first: machines, then who may use them, then what uses them. */
const ORDER: readonly Noun[] = ['pool', 'team', 'workload']

/** All documents of the files, in the order to apply them; throws CliError with every fault. */
export function parseDocuments(files: readonly SourceFile[]): readonly SpecDocument[] {
  const parsed = files.flatMap((file) => parseFile(file))
  const faults = [...parsed.flatMap((own) => own.faults)]
  if (faults.length > 0) throw refused(faults)
  const documents = parsed.flatMap(({ document }) => (document === undefined ? [] : [document]))
  if (documents.length === 0) {
    throw new CliError({
      code: 'NoDocuments',
      text: `there is no document in ${files.map(({ name }) => name).join(', ')}`,
      next: 'see examples/ for what to write',
    })
  }
  if (documents.length > LIMITS.documentsMax) {
    throw new CliError({
      code: 'TooManyDocuments',
      text: `${String(documents.length)} documents; at most ${String(LIMITS.documentsMax)} at once`,
      next: 'apply them in parts',
    })
  }
  refuseDoubles(documents)
  return documents.toSorted(byKey(({ noun }) => ORDER.indexOf(noun)))
}

/** The same documents, so that nothing goes before what needs it. */
export function inDeleteOrder(documents: readonly SpecDocument[]): readonly SpecDocument[] {
  return documents.toSorted(descending(byKey(({ noun }) => ORDER.indexOf(noun))))
}

function parseFile(file: SourceFile): readonly Parsed[] {
  const lines = new LineCounter()
  const stream = parseAllDocuments(file.text, { lineCounter: lines, prettyErrors: false })
  const all = Array.isArray(stream) ? stream : []
  return all
    .map((document, index) => parseOne({ file, document, lines, number: index + 1 }))
    .filter(({ document, faults }) => document !== undefined || faults.length > 0)
}

type Source = {
  readonly file: SourceFile
  readonly document: YamlDocument.Parsed<ParsedNode>
  readonly lines: LineCounter
  readonly number: number
}

function parseOne(source: Source): Parsed {
  const { document, lines, number } = source
  const label = `document ${String(number)}`
  if (document.errors.length > 0) {
    return {
      faults: document.errors.map((error) => ({
        file: source.file.name,
        line: lines.linePos(error.pos[0]).line,
        document: label,
        path: '',
        message: `not YAML: ${error.message}`,
      })),
    }
  }
  const fault: Checking['fault'] = (path, text) => ({
    file: source.file.name,
    line: lineOf(source, path),
    document: label,
    ...text,
  })
  const body = valueOf(document)
  if (body === null) return { faults: [] }
  if (body instanceof Error) return { faults: [fault([], { path: '', message: body.message })] }
  return checked(body, { fault, label })
}

function valueOf(document: YamlDocument.Parsed<ParsedNode>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

type Checking = {
  fault(path: readonly PropertyKey[], text: ProblemFault): Fault
  readonly label: string
}

function checked(body: unknown, { fault, label }: Checking): Parsed {
  const at = (faults: readonly ProblemFault[]): readonly Fault[] =>
    faults.map((own) => fault(keysOf(own.path), own))
  const noun = nounOf(body)
  if (noun === undefined) {
    const identity = identify(body)
    return { faults: identity.ok ? [] : at(identity.faults) }
  }
  // Whether a workload may leave out its count is for the server to say: it knows the present one.
  const parsed = parseDocument(body, { noun, count: { replicas: 0 } })
  if (parsed.ok) {
    const { document } = parsed
    const { name } = document
    return { document: { noun, name, body: body as SpecDocument['body'], document }, faults: [] }
  }
  const name = headSchema.safeParse(body).data?.name
  const document = name === undefined ? label : `${label}, ${noun}/${name}`
  return { faults: at(parsed.faults).map((own) => ({ ...own, document })) }
}

const headSchema = z.object({ kind: z.string(), name: z.string().optional().catch(undefined) })

function nounOf(body: unknown): Noun | undefined {
  const kind = headSchema.safeParse(body).data?.kind
  return NOUNS.find((noun) => KIND_OF[noun] === kind)
}

/** `ports[0].name` as the keys that lead there. */
function keysOf(path: string): readonly PropertyKey[] {
  return [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(
    ([, quoted, index, plain]) => (index === undefined ? (quoted ?? plain ?? '') : Number(index)),
  )
}

/** The line of the deepest part of the path that was written down. */
function lineOf({ document, lines }: Source, path: readonly PropertyKey[]): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node: unknown =
      length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    const range = z.object({ range: z.array(z.number()) }).safeParse(node)
    const start = range.data?.range[0]
    if (start !== undefined) return lines.linePos(start).line
  }
  return 1
}

function refused(faults: readonly Fault[]): CliError {
  const count = faults.length === 1 ? 'a fault' : `${String(faults.length)} faults`
  return new CliError({
    code: 'BadDocuments',
    text: `${count} in the documents; nothing was sent`,
    faults: faults.map(({ file, line, document, path, message }) => ({
      path: `${file}:${String(line)} (${document})${path === '' ? '' : ` ${path}`}`,
      message,
    })),
    next: 'mend them and run the command again',
  })
}

function refuseDoubles(documents: readonly SpecDocument[]): void {
  const seen = new Set<string>()
  for (const { noun, name } of documents) {
    const key = `${noun}/${name}`
    if (seen.has(key)) {
      throw new CliError({
        code: 'DoubleDocument',
        text: `${key} stands twice in the documents; nothing was sent`,
        next: 'keep one of them',
      })
    }
    seen.add(key)
  }
}
