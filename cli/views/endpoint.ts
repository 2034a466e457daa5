/**
 * Endpoints as rows: where a workload can be reached, and which of it should be.
 */
import type { EndpointAnswer } from '#shared/protocol/endpoints-answer.ts'
import type { Cell, Column } from '../render/table.ts'

/** The first rule that holds. */
function stateCell({ ready, terminating }: EndpointAnswer): Cell {
  if (terminating) return { text: 'stopping', colour: 'yellow' }
  return ready ? { text: 'ready', colour: 'green' } : { text: 'not ready', colour: 'yellow' }
}

/** An IPv6 address in brackets, as URLs have it. */
function addressText({ address, port }: EndpointAnswer): string {
  return `${address.includes(':') ? `[${address}]` : address}:${String(port)}`
}

export const endpointColumns: readonly Column<EndpointAnswer>[] = [
  { title: 'REPLICA', of: ({ replica }) => replica },
  { title: 'PORT', of: ({ name }) => name },
  { title: 'ADDRESS', of: addressText },
  { title: 'STATE', of: stateCell },
  { title: 'NODE', of: ({ node }) => node },
  { title: 'ZONE', of: ({ zone }) => zone ?? '' },
  { title: 'VERSION', of: ({ version }) => version },
]
