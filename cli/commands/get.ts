/**
 * `drover get`: a table of one kind of thing.
 */
import type { Command, Context, Input } from '../command.ts'
import { UsageError } from '../errors.ts'
import { kindFrom, pluralOf, SHOWN_KINDS, type ShownKind } from '../kinds.ts'
import { READERS, type Wanted } from '../listing.ts'
import { watch } from '../watch.ts'
import { cursorAt, SINCE_DEFAULT_MS } from './events.ts'

export const get: Command = {
  name: 'get',
  group: 'Look',
  summary: 'show workloads, pools, teams, nodes, replicas, events or endpoints as a table',
  arguments: [
    { name: 'kind', summary: SHOWN_KINDS.map(pluralOf).join(', ') },
    { name: 'name', summary: 'only this one; of endpoints, the workload', optional: true },
  ],
  options: [
    { flags: '-w, --watch', summary: 'go on showing it, until Ctrl-C' },
    { flags: '--workload <name>', summary: 'replicas: only of this workload' },
    { flags: '--node <name>', summary: 'replicas: only on this node' },
  ],
  examples: [
    'drover get workloads',
    'drover get nodes --watch',
    'drover get replicas --workload web',
    'drover get node general-4-1 --json',
    'drover get endpoints web',
  ],
  async run(context, input) {
    const kind = kindFrom(input.argument('kind'), SHOWN_KINDS)
    const wanted = wantedOf(context, kind, input)
    const read = (): ReturnType<(typeof READERS)[ShownKind]> => READERS[kind](context, wanted)
    if (input.flag('watch')) {
      await watch(context, read)
      return
    }
    const listing = await read()
    context.show(listing.body, () =>
      listing.rows.length === 0 ? [] : listing.lines(context.style),
    )
    if (listing.rows.length === 0) emptyNotes(context, { kind, wanted })
  },
}

function wantedOf(context: Context, kind: ShownKind, input: Input): Wanted {
  const [name, workload, node] = [
    input.optional('name'),
    input.text('workload'),
    input.text('node'),
  ]
  if (kind !== 'replica' && (workload ?? node) !== undefined) {
    throw new UsageError('--workload and --node go with replicas only')
  }
  // An event's own name is of no use to anybody: what is meant is the object it is about.
  if (kind === 'event') {
    const after = cursorAt(context, SINCE_DEFAULT_MS)
    return { name: undefined, query: { object: name, after } }
  }
  return { name, query: { workload, node } }
}

type Emptiness = { readonly kind: ShownKind; readonly wanted: Wanted }

function emptyNotes(context: Context, { kind, wanted }: Emptiness): void {
  if (context.json) return
  const { object, workload, node } = wanted.query
  const of = object ?? workload ?? (kind === 'endpoint' ? wanted.name : undefined)
  const about = [of && ` of ${of}`, node && ` on ${node}`].filter(Boolean).join('')
  context.note(`no ${pluralOf(kind)}${about}${kind === 'event' ? ' in the last hour' : ''}`)
  if (kind === 'endpoint') {
    context.note(`next: drover get replicas --workload ${wanted.name ?? ''}`)
  }
  if (kind === 'workload' || kind === 'pool') {
    context.note('next: drover apply -f examples/quickstart.yaml')
  }
}
