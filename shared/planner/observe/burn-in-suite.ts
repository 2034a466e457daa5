/**
 * Which checks a node of a pool must pass, and what the suite is called.
 *
 * The suite's name says what is in it, so a verdict on yesterday's shorter suite can never admit a
 * node under today's longer one.
 */
import { burnInSchema, checksOf } from '../../model/pool.ts'
import type { PoolItem } from '../../model/spec-item.ts'

export function suiteOf(pool: PoolItem | undefined): { suite: string; checks: string[] } {
  const checks = [...checksOf(pool?.spec.burnIn ?? burnInSchema.parse({}))]
  return { suite: checks.join('+'), checks }
}
