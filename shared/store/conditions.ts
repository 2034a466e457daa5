/**
 * What each condition means, evaluated on an item in hand: the memory store's side of the contract
 * whose other side is a table of DynamoDB expressions (aws/expressions.ts).
 */
import type { Condition, Item } from './store.ts'

type Kind = Condition['is']
type Meaning<K extends Kind> = (
  condition: Extract<Condition, { is: K }>,
  item: Item | undefined,
) => boolean

const meanings: { readonly [K in Kind]: Meaning<K> } = {
  absent: (_condition, item) => item === undefined,
  present: (_condition, item) => item !== undefined,
  equal: ({ field, value }, item) => item?.[field] === value,
  below: ({ field, value }, item) => {
    const seen = item?.[field]
    return seen === undefined || (typeof seen === 'number' && seen < value)
  },
}

/** True when every condition holds for the item, or for its absence. */
export function allHold(when: readonly Condition[] | undefined, item: Item | undefined): boolean {
  return (when ?? []).every((condition) =>
    (meanings[condition.is] as Meaning<Kind>)(condition, item),
  )
}
