/**
 * Generations: what an agent must do never changes unseen, and an order to stop is for ever.
 *
 * Agents poll the tiny head and read the body when it has moved; they never go back to an older
 * generation. So a head that lags, or orders that change under the same number, would leave a node
 * doing yesterday's work.
 */
import { sameJson } from '#shared/base/equal.ts'
import { isServingOn, type Assignment } from '#shared/model/assignment.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change } from '#shared/store/store.ts'
import type { SeenOf } from '../traffic.ts'
import { bodyChange, isBody, type BodyChange } from './body-changes.ts'
import { kindOf } from './items.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = 'generations'
const ARN_AT = keys.assignment('').pk.length

export function makeGenerations({ books }: Knowledge): Rule {
  const apart = (arn: string): Breach | undefined => {
    const [head, body] = [books.heads.get(arn)?.generation, books.bodies.get(arn)?.generation]
    if (head === body) return undefined
    const text = `${arn}: the head says generation ${String(head)}, the body ${String(body)}`
    return { rule: RULE, text }
  }
  const judge = (change: Change, by: string): Breach | undefined => {
    if (kindOf(change.key) !== 'assign') return undefined
    const found = apart(change.key.pk.slice(ARN_AT))
    if (found !== undefined || !isBody(change)) return found
    const text = wrongStep(bodyChange(change))
    return text === undefined ? undefined : { rule: RULE, text: `${text} (${by})` }
  }
  return {
    see: {
      write: ({ by, changes }: SeenOf<'write'>) => {
        if (by.role !== 'reconcile') return undefined
        return firstOf(changes, (change) => judge(change, by.label))
      },
    },
    full: () =>
      firstOf(new Set([...books.heads.keys(), ...books.bodies.keys()]), (arn) => apart(arn)),
  }
}

function wrongStep(found: BodyChange): string | undefined {
  const { before, after, revived, altered } = found
  if (before === undefined || after === undefined) return undefined
  const steps = `generation ${String(before.generation)} to ${String(after.generation)}`
  const where = `the assignment of ${after.node}`
  if (after.generation < before.generation) return `${where} fell: ${steps}`
  const [back] = revived
  if (back !== undefined) return `${back.id} on ${after.node} was told to stop, and now to run`
  const [other] = altered
  if (other !== undefined) return `${other.id} on ${after.node} became another replica`
  if (after.generation > before.generation || !ordersDiffer(found, before, after)) return undefined
  return `${where} has other orders under the same number: ${steps}`
}

function ordersDiffer(found: BodyChange, before: Assignment, after: Assignment): boolean {
  const { added, removed, stopped } = found
  return (
    added.length + removed.length + stopped.length > 0 ||
    !same(servingOn(before), servingOn(after)) ||
    !same(before.data, after.data) ||
    !same(before.burnIn, after.burnIn) ||
    !same(before.drain, after.drain)
  )
}

const servingOn = ({ replicas }: Assignment): readonly string[] =>
  replicas.filter(isServingOn).map(({ id }) => id)

const same = (a: unknown, b: unknown): boolean => a === b || sameJson(a ?? null, b ?? null)
