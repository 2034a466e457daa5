/**
 * Where each kind of item lives in the table. The one place that knows the key layout.
 *
 * What a person lists shares a partition (`node`, `spec#workload`), so that a list is one query.
 * What a node's agent touches has a partition of its own ending in the instance's ARN, because IAM
 * confines a role by leading key (research: serverless §4c).
 */
import type { Order } from '../model/facts.ts'
import type { Noun } from '../model/names.ts'
import { agentKeys } from '../protocol/agent-keys.ts'
import type { Key } from './store.ts'

const key = (pk: string, sk: string): Key => ({ pk, sk })

export const keys = {
  spec: (noun: Noun, name: string) => key(`spec#${noun}`, name),
  revision: (uid: string, version: string) => key(`revision#${uid}`, version),
  order: (target: Order['target'], name: string) => key('order', `${target}#${name}`),
  signal: (instanceId: string) => key(`signal#${instanceId}`, 'signal'),
  ...agentKeys,
  verdict: (node: string) => key(`verdict#${node}`, 'verdict'),
  rates: () => key('rates', 'rates'),
  market: (zone: string) => key(`market#${zone}`, 'market'),
  marketShapes: () => key('market#shapes', 'shapes'),
  /** Of a scaled workload, by its uid. */
  target: (uid: string) => key('target', uid),
  pushed: (uid: string, metric: string) => key(`pushed#${uid}`, metric),
  proposal: () => key('proposal', 'proposal'),
  pass: () => key('pass', 'pass'),
  launch: (id: string) => key('launch', id),
  node: (name: string) => key('node', name),
  status: (noun: Noun, name: string) => key(`status#${noun}`, name),
  shortage: (place: { instanceType: string; zone: string; capacityType: string }) =>
    key('shortage', `${place.instanceType}/${place.zone}/${place.capacityType}`),
  brake: (pool: string) => key('brake', pool),
} as const

/** Keys of the history table, which is only ever queried. */
export const historyKeys = {
  /** One partition a UTC day; the sort key is the event's id. */
  event: (dayUtc: string, id: string) => key(`event#${dayUtc}`, id),
  /** One partition a UTC day, like the events'. */
  burnIn: (dayUtc: string, id: string) => key(`burn-in#${dayUtc}`, id),
  goneNode: (name: string) => key('gone-node', name),
  /** Read by key alone, and never forgotten. */
  hardware: (id: string) => key(`hardware#${id}`, 'hardware'),
} as const
