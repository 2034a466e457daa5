/**
 * What `nvidia-smi -q -x` prints: a tree of text, one branch a GPU.
 *
 * Names and shapes of its elements differ by driver and by architecture (`docs/burn-in.md` has the
 * table), so nothing is turned into fields here. A reader asks for a path and learns one of three
 * things: a value, that this GPU has no such thing, or that the GPU itself would not answer.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { gpuIdentitySchema, type GpuIdentity } from '#shared/model/hardware.ts'

export type Told =
  | { readonly told: 'value'; readonly text: string }
  /** Not there, or there to say that there is none. */
  | { readonly told: 'nothing' }
  /** An error stands where the value should: `GPU is lost`. */
  | { readonly told: 'error'; readonly text: string }

export type Gpu = {
  /** In the order in which they are printed, from 0. */
  readonly index: number
  /** As the kernel writes it, without a function: `0000:53:00`. */
  readonly bus: string
  /** The first of the paths under `<gpu>` that has something to tell. */
  readonly at: (...paths: readonly string[]) => Told
}

export type SmiLog = {
  readonly driver: string
  readonly gpus: readonly Gpu[]
  /** How many it says there are; NaN where it does not say. */
  readonly attached: number
  /** What stood around the document: that is where it complains of GPUs it cannot reach. */
  readonly aside: string
}

export type Unreadable = { readonly unreadable: string }

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  isArray: (name) => name === 'gpu',
})

const ROOT = 'nvidia_smi_log'

/** Never throws. */
export function readSmiLog(stdout: string): SmiLog | Unreadable {
  const from = stdout.indexOf(`<${ROOT}`)
  const end = stdout.lastIndexOf(`</${ROOT}>`)
  if (from < 0 || end < from) return { unreadable: 'it printed no complete document' }
  const to = end + `</${ROOT}>`.length
  const aside = `${beforeXml(stdout.slice(0, from))}\n${stdout.slice(to)}`.trim()
  const document = stdout.slice(from, to)
  const valid = XMLValidator.validate(document)
  if (valid !== true) return { unreadable: `it printed a broken document: ${valid.err.msg}` }
  try {
    const root = child(parser.parse(document), ROOT)
    const gpus = child(root, 'gpu')
    return {
      driver: textOf(child(root, 'driver_version')).split(' ')[0] ?? '',
      attached: countOf(textOf(child(root, 'attached_gpus'))),
      gpus: (Array.isArray(gpus) ? gpus : []).map(gpuOf),
      aside,
    }
  } catch (error) {
    return { unreadable: `its document cannot be read: ${String(error)}` }
  }
}

/** Those whose UUID can be read; the others have no name to be known by. */
export function identitiesOf({ gpus }: SmiLog): readonly GpuIdentity[] {
  return gpus.flatMap(({ index, bus, at }) => {
    const [uuid, serial] = [at('uuid'), at('serial')]
    const told = serial.told === 'value' ? { serial: serial.text } : {}
    const own = { index, bus, uuid: uuid.told === 'value' ? uuid.text : '', ...told }
    const identity = gpuIdentitySchema.safeParse(own)
    return identity.success ? [identity.data] : []
  })
}

const beforeXml = (text: string): string => text.replace(/<\?xml[^>]*>|<!DOCTYPE[^>]*>/g, '')

function gpuOf(node: unknown, index: number): Gpu {
  return {
    index,
    bus: busOf(textOf(child(node, '@id'))),
    at: (...paths) => {
      const all = paths.map((path) => toldAt(node, path))
      return all.find(({ told }) => told !== 'nothing') ?? { told: 'nothing' }
    },
  }
}

/** `00000000:53:00.0` and `0000:53:00` alike. */
export function busOf(text: string): string {
  const match = /^(?:[0-9a-f]*)([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2})(?:\.[0-9a-f])?$/.exec(
    text.trim().toLowerCase(),
  )
  return match?.[1] ?? ''
}

/** An error may stand in place of a whole branch. */
function toldAt(node: unknown, path: string): Told {
  let at = node
  for (const name of path.split('/')) {
    if (typeof at === 'string') break
    at = child(at, name)
  }
  return toldBy(textOf(at))
}

function toldBy(text: string): Told {
  const plain = text.trim().replace(/^\[(.*)\]$/, '$1')
  if (NOTHING.has(plain.toLowerCase())) return { told: 'nothing' }
  if (ERRORS.has(plain.toLowerCase())) return { told: 'error', text: plain }
  return { told: 'value', text: plain }
}

const NOTHING: ReadonlySet<string> = new Set([
  '',
  'n/a',
  'not supported',
  'requested functionality has been deprecated',
])

/** NVML's own words for a GPU that does not answer. */
const ERRORS: ReadonlySet<string> = new Set([
  'gpu is lost',
  'gpu requires reset',
  'gpu is inaccessible',
  'unknown error',
  'insufficient permissions',
  'err!',
])

function child(node: unknown, name: string): unknown {
  if (typeof node !== 'object' || node === null || !Object.hasOwn(node, name)) return undefined
  const own = (node as Readonly<Record<string, unknown>>)[name]
  // Old drivers print an element twice; the first is as good as the other.
  return Array.isArray(own) && name !== 'gpu' ? own[0] : own
}

function textOf(node: unknown): string {
  if (typeof node === 'string') return node
  const text = child(node, '#text')
  return typeof text === 'string' ? text : ''
}

/** A whole number, and nothing else. */
export function countOf(text: string): number {
  return /^\d{1,15}$/.test(text.trim()) ? Number(text.trim()) : NaN
}

/** The number that a text begins with, whatever its unit: `29 C`, `16x`, `-8 C`. */
export function numberOf(text: string): number {
  const match = /^(-?\d{1,15}(?:\.\d{1,6})?)(?:x| ?[A-Za-z%/()]*)$/.exec(text.trim())
  return match === null ? NaN : Number(match[1])
}
